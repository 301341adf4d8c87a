import pytest
from django.core.cache import caches
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.accounts.models import Member


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


def test_home_leads_to_the_first_regions_instances(client: Client, vera: Member) -> None:
    client.force_login(vera)
    assert client.get("/")["Location"] == "/spo1/instances/"
