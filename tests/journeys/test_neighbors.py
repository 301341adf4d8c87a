"""The instances before and after one in the list that its page was opened from."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches
from django.test import Client

from portal.core.filters import LONGEST_IN_TABLE
from portal.core.http import encode_query
from tests.journeys.pages import LIST, Response, detail_url, ids, link, links, press, refresh, text, words
from tests.upstream import Upstream

SIZE = 20


def find_step(client: Client, url: str, rel: str) -> str:
    """The address of the previous (`prev`) or the next instance (`next`); empty without one."""
    return read_step(client.get(url), rel)


def read_step(page: Response, rel: str) -> str:
    found = re.search(rf'<a class="button" href="([^"]*)" rel="{rel}"', text(page))
    return found[1] if found else ""


def read_id(url: str) -> str:
    return url.split("/")[3] if url else ""


def read_around(client: Client, url: str) -> tuple[str, str]:
    """The ids of the previous and the next instance."""
    page = client.get(url)
    return read_id(read_step(page, "prev")), read_id(read_step(page, "next"))


@pytest.mark.parametrize(
    "query",
    ["limit=20", "tags=web", "q=web&sort=-age", "page=1"],
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
    assert upstream.requests() == []


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


def test_an_instance_that_moved_over_the_edge_of_its_page_keeps_both_neighbors(reader: Client) -> None:
    order = [each for page in (1, 2) for each in ids(reader.get(f"{LIST}?sort=name&page={page}", follow=True))]
    for number, back in ((SIZE, "sort=name"), (SIZE - 1, "sort=name&page=2")):
        url = f"{LIST}{order[number]}/?{encode_query([('back', back)])}"
        assert read_around(reader, url) == (order[number - 1], order[number + 1])


def test_a_page_beyond_the_last_one_has_the_neighbors_of_the_last_one(reader: Client) -> None:
    last = reader.get(f"{LIST}?sort=name&page=999")
    number = len(ids(last)) - 1
    before, after = ids(last)[number - 1], ""
    assert read_around(reader, detail_url(last, number)) == (before, after)
    only = reader.get(f"{LIST}?q=web-1&page=999")
    assert read_around(reader, detail_url(only)) == ("", ids(only)[1])


def test_an_open_page_follows_its_neighbors(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    listed = press(operator_client, operator_client.get(f"{LIST}?sort=name"), "Refresh")
    page = operator_client.get(detail_url(listed))
    upstream.change(ids(listed)[1], action="delete", seconds=0)
    clock.shift(timedelta(minutes=5))
    press(operator_client, listed, "Refresh")
    refreshed = refresh(operator_client, page)
    assert read_id(read_step(refreshed, "next")) == ids(listed)[2]
    assert refresh(operator_client, refreshed).status_code == 204


def test_the_long_name_of_a_neighbor_is_cut(operator_client: Client, upstream: Upstream) -> None:
    listed = operator_client.get(LIST)
    upstream.change(ids(listed)[1], action="rename", name="n" * 255)
    page = operator_client.get(detail_url(press(operator_client, listed, "Refresh")))
    labels = re.findall(r'aria-label="Next: ([^"]*)"', text(page))
    assert labels == ["n" * LONGEST_IN_TABLE + "…"]
