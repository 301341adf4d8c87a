"""Whose address counts behind proxies, and which URLs are our own."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from portal.web.addresses import find_own_path, is_own_url, read_address


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
        ("/spo1/views/7/remove/", "/spo1/instances/"),
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


def test_over_tls_a_plain_address_is_not_our_own(rf: RequestFactory) -> None:
    assert not is_own_url(rf.get("/", secure=True), "http://testserver/team/")
    assert is_own_url(rf.get("/", secure=True), "https://testserver/team/")
