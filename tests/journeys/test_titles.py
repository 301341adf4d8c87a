"""The titles of pages, by which tabs, history and bookmarks are told apart."""

import re
from html import unescape

import pytest
from django.test import Client

from tests.journeys.pages import LIST, Response, ask_htmx, ids, text
from tests.upstream import Upstream

GONE = "00000000-0000-4000-8000-000000000000"


def title(response: Response) -> str:
    titles = re.findall(r"<title>(.*?)</title>", text(response))
    return unescape(titles[0]) if len(titles) == 1 else f"{len(titles)} titles"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", "Instances (150)"),
        ("?limit=50", "Instances (150)"),
        ("?name=web-*&status=ACTIVE", "web-* · Active (25) – Instances"),
        ("?name=nothing-like-it", "nothing-like-it (0) – Instances"),
        ("?q=-tag:web&sort=-age&page=2", "Tag is not web · Age ↓ (21–40 of 121) – Instances"),
        (f"?name={'long' * 20}", f"{'long' * 9}lon… (0) – Instances"),
    ],
)
def test_a_list_is_called_what_it_shows(reader: Client, query: str, shown: str) -> None:
    response = reader.get(f"{LIST}{query}", follow=True)
    assert title(response) == f"{shown} · spo1 · ByCloud Portal"
    address = f"{LIST}?{response.request['QUERY_STRING']}"
    for region in ("results", "instances"):
        assert title(ask_htmx(reader, address, region)) == title(response)


def test_a_page_of_the_live_list_says_which(operator_client: Client) -> None:
    last = ids(operator_client.get(LIST))[-1]
    assert title(operator_client.get(f"{LIST}?marker={last}")).startswith("Instances (21–40 of 150) · ")


def test_a_list_in_trouble_is_marked(operator_client: Client, upstream: Upstream) -> None:
    assert title(operator_client.get(f"{LIST}?limit=x")) == "⚠︎ Instances (150) · spo1 · ByCloud Portal"
    upstream.script(times=None, status=503)
    assert title(operator_client.get(f"{LIST}?status=ERROR")) == "⚠︎ Error – Instances · spo1 · ByCloud Portal"


def test_an_instance_is_called_by_its_name_and_its_state(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}?name=web-14&status=ACTIVE")
    (path,) = re.findall(rf'<th scope="row">.*?href="({LIST}[^"]+)"', text(response))
    assert title(operator_client.get(unescape(path))) == "web-14 · Active · spo1 · ByCloud Portal"


def test_a_comparison_of_what_is_not_known_has_a_plain_title(reader: Client) -> None:
    response = reader.get(f"{LIST}compare/?id={GONE},{GONE[:-1]}1")
    assert title(response) == "Compare instances · spo1 · ByCloud Portal"
