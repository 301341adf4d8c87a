"""What a warm view may ask for: three rows of the database, and nothing of ByCloud."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.upstream import Upstream

LIST = "/spo1/instances/"


@pytest.mark.parametrize("query", ["", "?limit=100"], ids=["20 rows", "100 rows"])
def test_a_warm_list_reads_session_member_and_credential_however_many_rows_it_has(
    at_desk: Client, upstream: Upstream, query: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    at_desk.get(LIST + query)
    upstream.clear()
    for headers in ({}, {"hx-request": "true", "hx-target": "results"}):
        with django_assert_num_queries(3):
            assert at_desk.get(LIST + query, headers=headers).status_code == 200
    assert upstream.requests() == []
