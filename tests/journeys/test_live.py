"""An open page that refreshes itself: its version, the updates it gets, and the rate limit it shows."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.credentials.models import Credential
from portal.gateway import ApiSession
from portal.gateway.rate_limit import acquire_call
from portal.gateway.results import Priority
from tests.journeys.pages import LIST, Response, ask_htmx, detail_url, form, ids, is_due, press, refresh, text, words
from tests.upstream import Upstream

LATER = timedelta(seconds=30)


def read_told(response: Response) -> dict[str, object]:
    told: dict[str, object] = json.loads(response.headers["HX-Trigger"])["portal:unchanged"]
    return told


def open_instance(client: Client, name: str = "web-20") -> tuple[str, Response]:
    """An instance's id and page; this one is in no transition."""
    url = detail_url(client.get(f"{LIST}?name={name}"))
    return url.split("/")[3], client.get(url)


def use_up(settings: Settings, requests: int) -> None:
    access = ApiSession(settings.BYCLOUD_REGIONS["spo1"], BearerToken("sandbox-acme-token"))
    for _ in range(requests):
        acquire_call(access, Priority.PERSON)


def test_a_refresh_that_changes_nothing_is_answered_204_with_the_new_date(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    clock.shift(LATER)
    upstream.clear()
    response = refresh(operator_client, page)
    assert (response.status_code, response.content) == (204, b"")
    assert len(upstream.requests()) == 1
    told = read_told(response)
    assert str(told["at"]) in text(operator_client.get(LIST))
    assert told["minute"] == [2, 60]
    assert len(response.headers["HX-Trigger"]) <= 300
    assert {"HX-Request", "HX-Target", "Cookie"} <= set(response.headers["Vary"].split(", "))


def test_an_instance_that_has_not_changed_is_answered_204_too(
    operator_client: Client, clock: time_machine.Traveller
) -> None:
    _, page = open_instance(operator_client)
    clock.shift(LATER)
    assert refresh(operator_client, page).status_code == 204


def test_an_unchanged_refresh_costs_no_more_queries_than_an_empty_page(
    operator_client: Client, clock: time_machine.Traveller, settings: Settings
) -> None:
    # What the index takes: tests/fleet/test_feed.py.
    settings.FLEET_INDEX = False
    page = operator_client.get(LIST)
    clock.shift(LATER)
    with CaptureQueriesContext(connection) as queries:
        assert refresh(operator_client, page).status_code == 204
    assert len(queries) <= 3
    with CaptureQueriesContext(connection) as queries:
        assert "this minute" in words(operator_client.get(f"{LIST}?limit=20"))
    # The saved views stand on a whole page, too.
    assert len(queries) <= 4


def test_a_refresh_of_changed_rows_brings_them_with_another_version(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    upstream.change(ids(page)[4], action="rename", name="renamed-meanwhile")
    clock.shift(LATER)
    changed = refresh(operator_client, page)
    assert changed.status_code == 200
    assert "renamed-meanwhile" in words(changed)
    clock.shift(LATER)
    assert refresh(operator_client, changed).status_code == 204
    clock.shift(LATER)
    assert refresh(operator_client, page).status_code == 200


def test_a_refresh_of_a_changed_instance_brings_it(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    identifier, page = open_instance(operator_client)
    upstream.change(identifier, action="set", fields={"description": "moved to another rack"})
    clock.shift(LATER)
    changed = refresh(operator_client, page)
    assert changed.status_code == 200
    assert "moved to another rack" in words(changed)


def test_what_is_in_transition_is_looked_at_sooner_and_nothing_else_is(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    upstream.change(ids(page)[4], action="set", fields={"task_state": "rebooting"})
    upstream.clear()
    clock.shift(timedelta(seconds=6))
    assert refresh(operator_client, page).status_code == 204
    assert upstream.requests() == []
    changed = refresh(operator_client, page, **{"Portal-Refresh": "quick"})
    assert changed.status_code == 200
    assert "Rebooting" in words(changed)
    assert "data-pending=" in text(changed)
    assert len(upstream.requests()) == 1
    refresh(operator_client, changed, **{"Portal-Refresh": "quick"})
    assert len(upstream.requests()) == 1


def test_more_instances_elsewhere_in_the_list_are_a_change_too(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    last = ids(operator_client.get(f"{LIST}?limit=100"))[-1]
    upstream.change(last, action="delete", seconds=0)
    clock.shift(LATER)
    changed = refresh(operator_client, page)
    assert changed.status_code == 200
    assert 'hx-swap-oob="true">(149)' in text(changed)


def test_an_error_that_comes_or_goes_is_a_change(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    clock.shift(LATER)
    upstream.script(times=None, status=500)
    failed = refresh(operator_client, page)
    assert "ByCloud is unavailable (500)" in words(failed)
    assert 'data-error="server-fault"' in text(failed)
    assert refresh(operator_client, failed).status_code == 204
    upstream.clear()
    clock.shift(timedelta(seconds=90))
    assert "ByCloud is unavailable (500)" not in words(refresh(operator_client, failed))


def test_another_role_or_zone_is_another_version(
    operator_client: Client, otto: Member, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    Member.objects.filter(pk=otto.pk).update(role="viewer")
    assert refresh(operator_client, page).status_code == 200
    page = operator_client.get(LIST)
    assert refresh(operator_client, page).status_code == 204
    Member.objects.filter(pk=otto.pk).update(time_zone="America/Sao_Paulo")
    assert refresh(operator_client, page).status_code == 200
    clock.shift(LATER)
    told = read_told(refresh(operator_client, operator_client.get(LIST)))
    assert str(told["clock"]).endswith("(UTC−03:00)")


def test_a_version_of_someone_else_is_worth_nothing(operator_client: Client, viewing: Client) -> None:
    page = operator_client.get(LIST)
    viewing.get(LIST)
    assert refresh(viewing, page).status_code == 200


def test_only_a_refresh_of_the_page_itself_is_answered_204(operator_client: Client) -> None:
    page = operator_client.get(LIST)
    version = re.search(r'"Portal-Version": "(\w+)"', text(page))
    assert version
    assert ask_htmx(operator_client, LIST, "results", **{"Portal-Version": version[1]}).status_code == 200
    whole = operator_client.get(LIST, headers={"Portal-Refresh": "1", "Portal-Version": version[1]})
    assert whole.status_code == 200
    assert "<html" in text(whole)


def test_rows_in_transition_are_named_so_that_the_page_asks_more_often(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    identifier, page = open_instance(operator_client)
    assert "data-pending" not in text(page)
    assert 'data-every="30" data-quick="5"' in text(page)
    upstream.change(identifier, action="reboot", seconds=60)
    clock.shift(LATER)
    changing = refresh(operator_client, page)
    assert "data-pending" in text(changing)
    # As the script says it: words that change as soon as it runs would move what stands behind them.
    assert "auto-refresh: 5 s while something is changing" in words(changing)
    names = re.findall(r'data-pending="(\w+)"', text(operator_client.get(LIST)))
    assert len(names) == 1
    upstream.change(ids(operator_client.get(LIST))[4], action="reboot", seconds=60)
    press(operator_client, operator_client.get(LIST), "Refresh")
    assert re.findall(r'data-pending="(\w+)"', text(operator_client.get(LIST))) != names


def test_a_new_failure_is_told_with_when_upstream_is_asked_again(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    clock.shift(LATER)
    upstream.script(times=None, status=500)
    failed = refresh(operator_client, page)
    assert "data-retry-at" in text(failed)
    assert "data-steady" not in text(failed)
    assert "Next retry in 30 s." in words(failed)
    assert not is_due(failed)


def test_when_the_rate_limit_is_reached_for_refreshes_the_rows_stay_and_the_page_says_how_long(
    operator_client: Client, settings: Settings, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    use_up(settings, 47)
    clock.shift(timedelta(seconds=20))
    response = refresh(operator_client, page)
    assert response.status_code == 200
    assert ids(response) == ids(page)
    assert "Paused for 40 s to stay within 60 requests a minute" in words(response)
    assert 'data-error="rate-limit-reached" data-steady' in text(response)
    assert "48 of 60 this minute" in words(response)
    clock.shift(timedelta(seconds=2))
    assert refresh(operator_client, response).status_code == 204
    pressed = press(operator_client, response, "Retry")
    assert "Paused for" not in words(pressed)
    assert "49 of 60 this minute" in words(pressed)


def test_when_the_rate_limit_is_reached_and_nothing_is_cached_the_response_says_when_to_come_back(
    operator_client: Client, settings: Settings, clock: time_machine.Traveller, upstream: Upstream
) -> None:
    use_up(settings, 60)
    clock.shift(timedelta(seconds=42))
    response = operator_client.get(LIST)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "18")
    assert "Paused for 18 s to stay within 60 requests a minute" in words(response)
    assert form(response, "Retry")
    assert upstream.requests() == []


def test_when_the_hour_is_out_the_hour_is_named(
    operator_client: Client, settings: Settings, clock: time_machine.Traveller
) -> None:
    settings.BYCLOUD_RATE_PER_HOUR = 10
    use_up(settings, 10)
    clock.shift(timedelta(minutes=10))
    assert "Paused for 3000 s to stay within 10 requests an hour" in words(operator_client.get(LIST))


@pytest.mark.parametrize(
    ("used", "classes"), [(40, "rate-limit"), (48, "rate-limit is-high"), (60, "rate-limit is-high is-out")]
)
def test_the_meter_says_how_much_is_used(
    operator_client: Client, upstream: Upstream, settings: Settings, used: int, classes: str
) -> None:
    urls = (LIST, detail_url(operator_client.get(LIST)))
    operator_client.get(urls[1])
    use_up(settings, used - len(upstream.requests()))
    for url in urls:
        page = operator_client.get(url)
        assert f"{used} of 60 this minute API requests" in words(page)
        assert f'class="menu menu-end {classes}"' in text(page)
        assert f"The last hour {used} 1,000" in words(page)
        assert "Reserved for people, per minute 12" in words(page)


def test_the_meter_tells_of_other_programs_and_of_who_shares_it(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    headers = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "49", "X-RateLimit-Reset": None}
    upstream.script(status=200, headers=headers)
    page = operator_client.get(LIST)
    assert "By other programs, as reported by ByCloud 10" in words(page)
    assert "Shared by all who use the same ByCloud credential" in words(page)
    settings.BYCLOUD_RATE_SCOPE = "region"
    assert "Shared by all who use this region" in words(operator_client.get(LIST))


def test_the_list_shows_its_working_without_the_credential(operator_client: Client) -> None:
    first = operator_client.get(f"{LIST}?name=web-%2A")
    page = words(first)
    assert "GET /v1/instances?name=web-%2A&limit=20" in page or "GET /v1/instances?name=web-*&limit=20" in page
    assert "No, requested for this page" in page
    assert "Yes, no request was made for this page" in words(operator_client.get(f"{LIST}?name=web-%2A"))
    assert "curl --get " in page
    assert "Authorization: Bearer $BYCLOUD_TOKEN" in page
    assert re.search(r"Request ID req-", page)
    assert "sandbox-acme-token" not in text(first)


def test_a_refused_token_stops_the_page_until_it_is_replaced(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    clock.shift(LATER)
    upstream.script(status=401)
    refused = refresh(operator_client, page)
    assert ids(refused) == ids(page)
    assert 'data-error="rejected"' in text(refused)
    assert "ByCloud isn't asked again until you check it again" in words(refused)
    upstream.clear()
    clock.shift(timedelta(minutes=20))
    assert refresh(operator_client, refused).status_code == 204
    assert upstream.requests() == []


def test_retry_goes_upstream_while_the_page_itself_waits(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(status=500)
    failed = operator_client.get(LIST)
    upstream.clear()
    assert operator_client.get(LIST).status_code == 502
    assert upstream.requests() == []
    again = press(operator_client, failed, "Retry")
    assert again.redirect_chain == [(f"{LIST}?limit=20", 303)]
    assert len(ids(again)) == 20


def test_a_viewers_retry_goes_upstream_too(viewing: Client, upstream: Upstream) -> None:
    upstream.script(status=500)
    failed = viewing.get(LIST)
    again = press(viewing, failed, "Retry")
    assert len(ids(again)) == 12


def test_without_an_answer_the_page_goes_on_trying_by_itself(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(status=500)
    failed = operator_client.get(LIST)
    clock.shift(timedelta(seconds=1))
    answered = refresh(operator_client, failed)
    assert answered.status_code == 200
    assert len(ids(answered)) == 20


def test_the_page_with_no_credential_has_nothing_to_refresh(operator_client: Client) -> None:
    Credential.objects.all().delete()
    assert 'id="live"' not in text(operator_client.get(LIST))
