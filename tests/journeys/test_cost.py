"""The cost of a cached view: a few database queries, and no request to ByCloud."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.upstream import Upstream

LIST = "/spo1/instances/"


@pytest.mark.parametrize("query", ["?limit=20", "?limit=100"], ids=["20 rows", "100 rows"])
def test_a_warm_list_reads_session_credential_and_saved_views_however_many_rows_it_has(
    operator_client: Client, upstream: Upstream, query: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    operator_client.get(LIST + query)
    upstream.clear()
    for headers, most in (({}, 3), ({"hx-request": "true", "hx-target": "results"}, 2)):
        with django_assert_num_queries(most):
            assert operator_client.get(LIST + query, headers=headers).status_code == 200
    assert upstream.requests() == []


def test_a_list_without_parameters_reads_the_default_view_with_the_others(
    operator_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    operator_client.get(LIST)
    with django_assert_num_queries(3):
        assert operator_client.get(LIST).status_code == 200
