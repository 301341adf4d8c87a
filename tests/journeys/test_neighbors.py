"""The instances before and after one in the list that its page was opened from."""

import re

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client

from tests.journeys.pages import LIST, detail_url, ids, link, links, text, words
from tests.upstream import Upstream

needs_index = pytest.mark.skipif(not settings.FLEET_INDEX, reason="a list from the index")
SIZE = 20


def find_step(client: Client, url: str, rel: str) -> str:
    """The address of the previous (`prev`) or the next instance (`next`); empty without one."""
    found = re.search(rf'<a class="button" href="([^"]*)" rel="{rel}"', text(client.get(url)))
    return found[1] if found else ""


def read_id(url: str) -> str:
    return url.split("/")[3]


@pytest.mark.parametrize(
    "query",
    ["limit=20", "tags=web", *(pytest.param(each, marks=needs_index) for each in ("q=web&sort=-age", "page=1"))],
)
def test_a_list_is_turned_over_page_by_page_without_asking_bycloud(
    operator_client: Client, upstream: Upstream, query: str
) -> None:
    operator_client.get(f"{LIST}?sort=name")
    first = operator_client.get(f"{LIST}?{query}")
    second = operator_client.get(link(first, "Next"))
    upstream.clear()
    url = detail_url(first)
    seen: list[str] = []
    assert find_step(operator_client, url, "prev") == ""
    while len(seen) < SIZE + 2:
        seen.append(url)
        url = find_step(operator_client, url, "next")
    assert [read_id(each) for each in seen] == [*ids(first), *ids(second)][: SIZE + 2]
    for number in (SIZE, SIZE - 1):
        assert find_step(operator_client, seen[number + 1], "prev") == seen[number]
    # Each leads back to the page of the list that it is on.
    for each, page in ((seen[SIZE], second), (seen[SIZE - 1], first)):
        back = next(href for href in links(operator_client.get(each)) if href.endswith(f"#{read_id(each)}"))
        assert ids(operator_client.get(back)) == ids(page)
    # Without an index, one finds the instance by its name.
    assert [each for each in upstream.requests() if settings.FLEET_INDEX or "name=" not in each["query"]] == []


def test_without_neighbors_there_are_no_steps(operator_client: Client) -> None:
    alone = operator_client.get(detail_url(operator_client.get(f"{LIST}?name=web-07")))
    elsewhere = operator_client.get(f"{detail_url(operator_client.get(LIST), 3)}&back=tags%3Dbatch")
    url = detail_url(operator_client.get(f"{LIST}?name=web-%2A"), 3)
    known = operator_client.get(url)
    caches["pages"].clear()
    forgotten = operator_client.get(url)
    for page, has_steps in ((alone, False), (elsewhere, False), (known, True), (forgotten, False)):
        assert page.status_code == 200
        assert ("Previous Next" in words(page)) is has_steps
