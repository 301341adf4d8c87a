"""The client's IP address behind proxies, and which URLs belong to the portal."""

import re

import pytest
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from portal.core.http import (
    LONGEST_ADDRESS,
    add_way_back,
    encode_query,
    find_own_path,
    is_own_url,
    read_address,
    read_network,
)


@pytest.mark.parametrize(
    ("count", "forwarded", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "not an address", "127.0.0.1"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "[::FFFF:cb00:7109]:4711", "203.0.113.9"),
        (-1, "203.0.113.9", "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_our_outermost_proxy_wrote(
    rf: RequestFactory, settings: Settings, count: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    request = rf.get("/", headers={"x-forwarded-for": forwarded} if forwarded else {})
    assert read_address(request) == address


def test_a_request_over_a_unix_socket_has_no_address(rf: RequestFactory) -> None:
    assert read_address(rf.get("/", REMOTE_ADDR="")) == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_client_is_counted_by_its_network(rf: RequestFactory, address: str, network: str) -> None:
    assert read_network(rf.get("/", REMOTE_ADDR=address)) == network


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://testserver/spo1/instances/?name=a#x", "/spo1/instances/?name=a"),
        ("http://testserver", "/"),
        ("/team/", "/team/"),
        ("https://evil.example/team/", None),
        ("//evil.example/team/", None),
        ("http://testserver//evil.example", "/evil.example"),
        (r"http://testserver/\evil.example", "/evil.example"),
        (r"http://testserver/\/\evil.example/a\b", r"/evil.example/a\b"),
        # What only takes forms is no page to go back to.
        ("http://testserver/spo1/instances/export/?a=1", "/spo1/instances/"),
        ("/spo1/views/7/default/", "/spo1/instances/"),
        ("/preferences/theme/", "/"),
        ("/credentials/A_B/remove/", "/"),
        ("/credentials/gone1/remove/", "/"),
        ("/nowhere/at/all/", "/nowhere/at/all/"),
        ("", None),
        (None, None),
    ],
)
def test_only_paths_of_our_own_are_a_way_back(rf: RequestFactory, url: str | None, path: str | None) -> None:
    assert find_own_path(rf.get("/"), url) == path


TAGS = ",".join(f"株式会社{number}" for number in range(60))


def test_a_way_back_may_be_as_long_as_an_address(rf: RequestFactory) -> None:
    path = f"/spo1/instances/?{encode_query([('tags', TAGS)])}"
    assert 2048 < len(path) < 4000
    assert find_own_path(rf.get("/"), f"http://testserver{path}") == path
    assert find_own_path(rf.get("/"), f"http://evil.example{path}") is None
    assert find_own_path(rf.get("/"), f"//evil.example{path}") is None
    url = add_way_back("/sign-in/", path)
    assert QueryDict(url.partition("?")[2])["next"] == path
    assert len(url) <= LONGEST_ADDRESS


def test_a_way_back_that_would_not_fit_leads_to_the_page_all_the_same() -> None:
    assert add_way_back("/sign-in/", f"/spo1/instances/?name={'%25' * 2000}") == "/sign-in/?next=/spo1/instances/"


# What Markdown (CommonMark, GitHub's links, markdown-it's linkify) and chats cut off at an end, or read as markup.
@given(st.dictionaries(st.sampled_from(["name", "tags"]), st.text(min_size=1), min_size=1))
@example({"name": "web-*"})
@example({"name": "_a_ ~b~ (c) 'd' !e! `f` [g] <h> |i| {j} \\k ^l"})
@example({"name": "a.", "tags": "b,"})
@example({"name": "a...b--c,,d-"})
def test_a_query_string_survives_being_pasted_and_reads_the_same(pairs: dict[str, str]) -> None:
    query = encode_query(pairs.items())
    assert QueryDict(query).dict() == pairs
    assert not set("*_~()'!`[]<>|{}\\^\"; :?") & set(query)
    assert re.search(r"[.,-](?=[.,-]|&|$)", query) is None
    assert query.isascii()


def test_over_tls_a_plain_address_is_not_our_own(rf: RequestFactory) -> None:
    assert not is_own_url(rf.get("/", secure=True), "http://testserver/team/")
    assert is_own_url(rf.get("/", secure=True), "https://testserver/team/")
