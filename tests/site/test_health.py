from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.accounts.models import Member
from portal.fleet.models import IndexedFleet


def test_live_is_a_line_that_needs_no_database(
    client: Client, vera: Member, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(vera)
    with django_assert_num_queries(0):
        response = client.get("/health/live/")
    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"alive\n", "text/plain")


def test_ready_when_database_and_cache_answer(client: Client, db: None) -> None:
    response = client.get("/health/ready/")
    assert (response.status_code, response.content) == (200, b"ready\n")


@pytest.mark.parametrize("part", ["database", "cache"])
def test_not_ready_says_no_more_than_that(client: Client, db: None, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("could not connect to db.internal:5432")

    with monkeypatch.context() as broken:
        if part == "database":
            broken.setattr(connection, "cursor", fail)
        else:
            broken.setattr(type(caches["pages"]), "get", fail)
        response = client.get("/health/ready/")
    assert (response.status_code, response.content) == (503, b"not ready\n")


def test_a_probe_is_never_sent_to_tls(client: Client, db: None, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live/").status_code == 200
    assert client.get("/sign-in/").status_code == 301


@pytest.mark.parametrize("path", ["/health/live/", "/health/ready/"])
def test_probes_only_read(client: Client, db: None, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200


def test_home_leads_to_what_the_member_prefers_in_the_first_region(
    client: Client, vera: Member, settings: Settings
) -> None:
    client.force_login(vera)
    assert client.get("/")["Location"] == "/spo1/"
    settings.FLEET_INDEX = False
    assert client.get("/")["Location"] == "/spo1/instances/"
    settings.FLEET_INDEX = True
    Member.objects.update(first_page="instances")
    assert client.get("/")["Location"] == "/spo1/instances/"


def test_home_leads_to_the_list_while_the_index_cannot_be_read(client: Client, vera: Member) -> None:
    def lock(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if IndexedFleet._meta.db_table in sql:
            raise OperationalError("database is locked")
        return execute(sql, *arguments)

    client.force_login(vera)
    with connection.execute_wrapper(lock):
        assert client.get("/")["Location"] == "/spo1/instances/"
