"""Suggestions for the search box, as the script asks for them."""

import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.instances import suggestions
from tests.journeys.pages import LIST, Response, ids, press, text, words
from tests.upstream import Upstream


def suggest(client: Client, query: str, **more: str) -> Response:
    return client.get(f"{LIST}suggest/", {"q": query} | more)


def list_texts(response: Response) -> list[str]:
    return re.findall(r'data-text="([^"]*)"', text(response))


def test_values_come_with_the_number_of_instances(reader: Client) -> None:
    response = suggest(reader, "status:e")
    errors = len(ids(reader.get(LIST, {"q": "status:ERROR", "limit": "100"}, follow=True)))
    assert f"ERROR {errors} instances" in words(response)
    assert list_texts(response)[0] == "status:ERROR "


def test_an_instance_is_one_step_away(reader: Client) -> None:
    (wanted,) = ids(reader.get(LIST, {"q": "name:web-14"}, follow=True))
    pages = re.findall(r'data-href="([^"]*)"', text(suggest(reader, "WEB-14")))
    assert pages == [f"{LIST}{wanted}/?name=web-14"]
    assert "web-14" in words(reader.get(pages[0]))


@pytest.mark.parametrize(("at", "first"), [("5", "tag:web status:ACTIVE "), ("", "tag:w status:ACTIVE ")])
def test_what_stands_at_the_caret_is_completed(reader: Client, at: str, first: str) -> None:
    assert list_texts(suggest(reader, "tag:w status:ACTIVE", at=at))[0] == first


@pytest.mark.parametrize("at", ["-1", "x", "9" * 40, "٣"])
def test_a_place_that_cannot_be_is_the_end(reader: Client, at: str) -> None:
    assert list_texts(suggest(reader, "tag:canar", at=at)) == ["tag:canary "]


def test_bycloud_is_not_asked_and_no_walk_goes_on(operator_client: Client, upstream: Upstream) -> None:
    operator_client.get(LIST)
    upstream.clear_log()
    response = suggest(operator_client, "status:")
    assert "at least" in words(response)
    assert upstream.requests() == []


def test_each_sees_only_what_their_own_credential_allows(reader: Client, viewing: Client) -> None:
    press(viewing, viewing.get(LIST, {"page": "1"}), "Refresh")
    for typed in ("tag:", "name:", "network:", "meta.team:", "web", "s", ""):
        his, hers = words(suggest(reader, typed)), words(suggest(viewing, typed))
        assert typed == "" or his != hers
    total = sum(map(int, re.findall(r"(\d+) instances?", words(suggest(viewing, "status:")))))
    assert total == 12


def test_without_an_index_or_a_credential_nothing_is_suggested(
    operator_client: Client, vera: Member, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("database is locked")

    assert list_texts(suggest(operator_client, "status:")) == []
    operator_client.get(LIST)
    assert list_texts(suggest(operator_client, "status:")) != []
    without = Client()
    without.force_login(vera)
    assert list_texts(suggest(without, "status:")) == []
    with monkeypatch.context() as patch:
        patch.setattr(suggestions, "find_fleet", fail)
        assert list_texts(suggest(operator_client, "status:")) == []
    settings.FLEET_INDEX = False
    assert list_texts(suggest(operator_client, "status:")) == []
