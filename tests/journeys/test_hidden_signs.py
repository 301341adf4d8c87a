"""Invisible characters in pasted filters and in the texts of instances."""

import re
from urllib.parse import quote

import pytest
from django.test import Client

from tests.journeys.pages import LIST, ask_htmx, detail_url, has_rows, ids, link, text, words
from tests.upstream import Upstream

ID = "550e8400-e29b-41d4-a716-446655440000"
ODD = "web\u200b-\u202e01  x"
SEEN = '<span class="invisible-char" role="img" aria-label="zero width space (U+200B)"'
PLAIN = "web[U+200B]-[U+202E]01␣␣x"


def serve(upstream: Upstream, **fields: object) -> None:
    instance = {"id": ID, "name": "web-01", "status": "ACTIVE", **fields}
    upstream.script(times=None, body={"instances": [instance], "meta": {"total": 1, "has_more": False}})


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00ad", "\u202e", "\u2060", "\u200d"])
@pytest.mark.parametrize("parameter", ["name", "tags"])
def test_a_pasted_filter_says_what_it_holds_and_offers_to_leave_it_out(
    operator_client: Client, parameter: str, sign: str
) -> None:
    code = f"U+{ord(sign):04X}"
    response = operator_client.get(f"{LIST}?{parameter}={quote(f'we{sign}b')}")
    assert response.status_code == 200
    assert "No matches" in words(response)
    assert "The filters contain invisible characters" in words(response)
    assert re.search(rf"exactly as entered, including: [a-z -]+ \({re.escape(code)}\)", words(response))
    assert f'data-symbol="{code}"' in text(response)
    assert f": we[{code}]b" in text(response)
    assert link(response, "Remove them") == f"{LIST}?{parameter}=web"
    clean = operator_client.get(f"{LIST}?{parameter}=web")
    assert "invisible characters" not in words(clean)


def test_who_wants_it_exactly_gets_it(operator_client: Client, upstream: Upstream) -> None:
    serve(upstream, tags=["a\u200bb"])
    tag = re.search(rf'href="({LIST}\?tags=[^"]*)"', text(operator_client.get(LIST)))
    assert tag
    upstream.clear()
    page = operator_client.get(tag[1])
    assert "tags=a%E2%80%8Bb" in upstream.requests()[0]["query"]
    assert "invisible characters" in words(page)


def test_htmx_is_told_as_well(operator_client: Client) -> None:
    response = ask_htmx(operator_client, f"{LIST}?name=we%E2%80%8Bb", "results")
    assert "The filters contain invisible characters" in words(response)


@pytest.mark.parametrize("parameter", ["marker", "flavor_id", "limit", "status&limit=0&marker"])
def test_a_value_that_is_refused_for_it_says_so(operator_client: Client, parameter: str) -> None:
    response = operator_client.get(f"{LIST}?{parameter}=20%E2%80%8B")
    assert response.status_code == 400
    assert "Contains invisible characters: zero width space (U+200B)." in words(response)


MANY_COLUMNS = "name,tags,description,crn,power_state,networks,security_groups,keys,metadata"


@pytest.mark.parametrize("columns", ["", MANY_COLUMNS])
def test_every_text_of_an_instance_shows_them(operator_client: Client, upstream: Upstream, columns: str) -> None:
    serve(
        upstream,
        name=ODD,
        tags=[ODD],
        flavor={"id": ID, "name": ODD},
        image={"id": ID, "name": ODD},
        status=ODD,
        description=ODD,
        crn=ODD,
        power_state=ODD,
        addresses={ODD: [{"addr": ODD, "mac_addr": ODD, "type": ODD}]},
        security_groups=[{"name": ODD}],
        volumes_attached=[{"id": ODD, "device": ODD}],
        key_names=[ODD],
        metadata={ODD: ODD},
    )
    page = operator_client.get(f"{LIST}?columns={columns}" if columns else LIST)
    table = text(page).partition('id="table"')[2].partition("</table>")[0]
    assert table.count(SEEN) >= 6
    # Bare in no text that is read, but in what is copied and followed.
    assert ODD not in re.sub(r"<[^>]*>", "\0", table)
    instance = operator_client.get(detail_url(page))
    body = text(instance).partition("<main")[2].partition('id="json"')[0]
    assert body.count(SEEN) >= 18
    assert ODD not in re.sub(r"<[^>]*>", "\0", body)
    assert f"<title>{PLAIN}" in text(instance).replace("\n", "")
    # Copied as it is.
    assert f'data-copy="{ODD}" aria-label="Copy the name"' in text(instance)


@pytest.mark.parametrize(
    ("name", "label"), [("   ", "␣␣␣"), ("\u00a0", "U+00A0"), ("\u200b", "U+200B"), ("\u2800", "U+2800")]
)
def test_a_name_of_blanks_is_a_link_that_says_so(
    operator_client: Client, upstream: Upstream, name: str, label: str
) -> None:
    serve(upstream, name=name)
    page = operator_client.get(LIST)
    assert has_rows(page)
    assert ids(page) == [ID]
    assert f'data-symbol="{label}"' in text(page).partition("data-instance-id")[2].partition("</a>")[0]
    assert operator_client.get(detail_url(page)).status_code == 200
