"""What is shown if ByCloud gives no usable response: with cached rows, and without."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken, Region
from portal.credentials.models import Credential
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.journeys.pages import (
    LIST,
    Response,
    ask_htmx,
    detail_url,
    form,
    has_rows,
    ids,
    is_due,
    link,
    text,
    words,
)
from tests.upstream import Upstream

OLD = timedelta(minutes=1)
EVERY_TROUBLE: list[tuple[dict[str, object], int, str]] = [
    ({"status": 500}, 502, "ByCloud is unavailable (500)"),
    ({"status": 503}, 503, "ByCloud is unavailable (503)"),
    ({"status": 504}, 504, "ByCloud is unavailable (504)"),
    ({"status": 422}, 502, "ByCloud rejected this request"),
    ({"status": 401}, 403, "rejected your token"),
    ({"status": 403}, 403, "Your ByCloud token isn't allowed to list instances"),
    ({"status": 429, "headers": {"Retry-After": "18"}}, 503, "Paused for"),
    ({"mode": "not-json"}, 502, "Unexpected response from ByCloud"),
    ({"mode": "no-instances"}, 502, "First problem: $.instances"),
    ({"mode": "html"}, 502, "Unexpected response from ByCloud"),
    ({"mode": "reset"}, 502, "ByCloud can't be reached"),
]
NAMES = [str(sorted(fault.items())) for fault, _, _ in EVERY_TROUBLE]


def spoil(upstream: Upstream, fault: dict[str, object]) -> None:
    upstream.script(**{"times": None, **fault})


def has_way_out(response: Response) -> bool:
    """Retry posts, so that it need not wait for a pause to end; a refused token must be replaced instead."""
    if "rejected your token" in words(response):
        with pytest.raises(AssertionError, match="no button"):
            form(response, "Retry")
        return bool(link(response, "Replace token"))
    return form(response, "Retry") is not None


@pytest.mark.parametrize(("fault", "status", "said"), EVERY_TROUBLE, ids=NAMES)
def test_a_failure_with_nothing_seen_before_is_no_empty_list(
    operator_client: Client, upstream: Upstream, fault: dict[str, object], status: int, said: str
) -> None:
    spoil(upstream, fault)
    response = operator_client.get(LIST)
    assert response.status_code == status
    assert said in words(response)
    assert "UTC" in words(response)
    assert has_way_out(response)
    assert not has_rows(response)
    for wrong in ("No instances yet", "No matches", "Instances (", "None"):
        assert wrong not in text(response)


@pytest.mark.parametrize(("fault", "said"), [(fault, said) for fault, _, said in EVERY_TROUBLE], ids=NAMES)
def test_a_failure_after_a_page_was_seen_shows_its_rows_dated_with_the_reason(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller, fault: dict[str, object], said: str
) -> None:
    rows = ids(operator_client.get(LIST))
    clock.shift(OLD)
    spoil(upstream, fault)
    response = ask_htmx(operator_client, LIST, "results", **{"Portal-Refresh": "1"})
    assert response.status_code == 200
    assert ids(response) == rows
    assert said in words(response)
    assert "1 minute ago" in words(response)
    assert not is_due(response)
    again = operator_client.get(LIST)
    assert ids(again) == rows
    assert said in words(again)
    assert not is_due(again)


def test_the_request_id_is_shown_to_be_copied(operator_client: Client, upstream: Upstream) -> None:
    spoil(upstream, {"status": 500})
    assert 'data-copy="req-' in text(operator_client.get(LIST))


def test_a_failed_refresh_says_why_and_keeps_the_rows(operator_client: Client, upstream: Upstream) -> None:
    rows = ids(operator_client.get(LIST))
    spoil(upstream, {"status": 500})
    posted = operator_client.post(
        f"{LIST}refresh/", {"query": ""}, headers={"HX-Request": "true", "HX-Target": "results"}
    )
    assert (posted.status_code, ids(posted)) == (200, rows)
    assert "ByCloud is unavailable (500)" in words(posted)
    plain = operator_client.post(f"{LIST}refresh/", {"query": ""}, follow=True)
    assert (plain.redirect_chain, ids(plain)) == ([(f"{LIST}?limit=20", 303)], rows)
    assert "ByCloud is unavailable (500)" in words(plain)


def test_a_failed_refresh_with_nothing_seen_asks_upstream_no_second_time(
    operator_client: Client, upstream: Upstream
) -> None:
    spoil(upstream, {"status": 500})
    upstream_before = len(upstream.requests())
    response = operator_client.post(f"{LIST}refresh/", {"query": "status=ACTIVE"})
    assert response.status_code == 502
    assert len(upstream.requests()) == upstream_before + 1
    assert form(response, "Retry")[1]["query"] == "status=ACTIVE"


def test_a_rate_limit_says_how_long_and_the_page_does_not_ask_before(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    operator_client.get(LIST)
    clock.shift(OLD)
    upstream.script(status=429, headers={"Retry-After": "90"})
    limited = ask_htmx(operator_client, LIST, "results", **{"Portal-Refresh": "1"})
    assert "Paused for 90 s to stay within 1,000 requests an hour" in words(limited)
    clock.shift(timedelta(seconds=32))
    waiting = operator_client.get(LIST)
    assert "Paused for 58 s to stay within 60 requests a minute" in words(waiting)
    assert not is_due(waiting)
    clock.shift(timedelta(seconds=70))
    assert is_due(operator_client.get(LIST))


def test_a_rate_limit_with_nothing_seen_is_told_to_machines_too(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(status=429, headers={"Retry-After": "18"})
    response = operator_client.get(LIST)
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 18


def test_a_refused_token_can_be_replaced_and_leads_back(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    rows = ids(operator_client.get(f"{LIST}?status=ACTIVE"))
    clock.shift(OLD)
    upstream.script(times=1, status=401)
    response = ask_htmx(operator_client, f"{LIST}?status=ACTIVE", "results", **{"Portal-Refresh": "1"})
    assert ids(response) == rows
    replace = link(response, "Replace token")
    assert replace == "/credentials/spo1/?next=/spo1/instances/%3Fstatus%3DACTIVE"
    form = operator_client.get(replace)
    assert f'name="next" value="{LIST}?status=ACTIVE"' in text(form)
    saved = operator_client.post(
        "/credentials/spo1/", {"kind": "bearer", "token": "sandbox-acme-token", "next": f"{LIST}?status=ACTIVE"}
    )
    assert saved.headers["Location"] == f"{LIST}?status=ACTIVE"


def test_a_refused_token_without_rows_can_be_replaced(client: Client, vera: Member, sandbox: Sandbox) -> None:
    keep(vera, BearerToken("no-longer-good"))
    client.force_login(vera)
    response = client.get(LIST)
    assert response.status_code == 403
    assert link(response, "Replace token") == "/credentials/spo1/?next=/spo1/instances/%3Flimit%3D20"
    assert "no-longer-good" not in text(response)


def test_a_token_that_may_not_list_says_whom_to_ask(client: Client, vera: Member, sandbox: Sandbox) -> None:
    keep(vera, BearerToken("sandbox-forbidden-token"))
    client.force_login(vera)
    response = client.get(LIST)
    assert response.status_code == 403
    assert "manages your organization's ByCloud roles" in words(response)


def test_a_region_that_cannot_be_reached_is_told_so(client: Client, otto: Member, sandbox: Sandbox) -> None:
    keep(otto, BearerToken("any"), "sao2")
    client.force_login(otto)
    response = client.get("/sao2/instances/")
    assert response.status_code == 502
    assert "ByCloud can't be reached" in words(response)


def test_an_answer_that_takes_too_long_is_given_up(
    client: Client, otto: Member, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_LIMITS = type(settings.BYCLOUD_LIMITS)(deadline_seconds=0.3)
    keep(otto, BearerToken("sandbox-acme-token"))
    client.force_login(otto)
    upstream.script(times=None, delay=2.0)
    response = client.get(LIST)
    assert response.status_code == 504
    assert "ByCloud did not answer in time" in words(response)


def test_without_a_credential_the_page_takes_one_and_comes_back(
    client: Client, vera: Member, upstream: Upstream
) -> None:
    client.force_login(vera)
    response = client.get(f"{LIST}?status=ACTIVE")
    assert response.status_code == 200
    assert "No credential for spo1 yet" in words(response)
    assert f'name="next" value="{LIST}?status=ACTIVE"' in text(response)
    assert upstream.requests() == []
    fields = {"kind": "bearer", "token": "sandbox-globex-token", "next": f"{LIST}?status=ACTIVE"}
    back = client.post("/credentials/spo1/", fields, follow=True)
    assert back.redirect_chain[-1][0] == f"{LIST}?status=ACTIVE"
    assert ids(back)


def test_a_credential_that_cannot_be_opened_is_asked_for_again(operator_client: Client) -> None:
    Credential.objects.update(encrypted=b"encrypted by a key that is gone")
    response = operator_client.get(LIST)
    assert response.status_code == 409
    assert "can't be decrypted" in words(response)
    assert 'name="token"' in text(response)


@pytest.mark.parametrize("target", ["instances", "results"])
def test_a_credential_removed_elsewhere_sends_htmx_to_the_page(operator_client: Client, target: str) -> None:
    Credential.objects.all().delete()
    response = ask_htmx(operator_client, f"{LIST}?status=ACTIVE", target)
    assert response.headers["HX-Redirect"] == f"{LIST}?status=ACTIVE"


def test_a_refresh_without_a_credential_asks_for_one_and_leads_to_the_list(operator_client: Client) -> None:
    Credential.objects.all().delete()
    response = operator_client.post(f"{LIST}refresh/", {"query": "status=ACTIVE"})
    assert f'name="next" value="{LIST}?limit=20"' in text(response)


@pytest.mark.parametrize("mode", ["no-meta", "no-links", "nulls", "only-ids", "endless", "duplicates"])
def test_an_answer_with_less_than_documented_still_makes_a_page(
    operator_client: Client, upstream: Upstream, mode: str
) -> None:
    upstream.script(mode=mode)
    response = operator_client.get(LIST)
    assert response.status_code == 200
    assert "None" not in words(response)


def test_an_unknown_total_is_told_as_at_least(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="no-meta")
    response = operator_client.get(LIST)
    assert "Instances (at least 21)" in words(response)
    assert "1–20" in words(response)


def test_instances_without_an_id_have_no_link(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="nulls")
    response = operator_client.get(LIST)
    assert ids(response) == [""] * 20
    assert "no name" in words(response)
    with pytest.raises(IndexError):
        detail_url(response)


def test_hostile_texts_are_shown_as_texts(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, mode="hostile")
    response = operator_client.get(f"{LIST}?limit=50")
    body = response.content.decode()
    assert len(ids(response)) == 50
    for harm in ("<script>alert", "<img src=x", " onerror=alert(1)>'"):
        assert harm not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert "{{ 7 * 7 }}" in body
    for number in range(12):
        page = operator_client.get(detail_url(response, number))
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()


def test_the_credential_stands_in_no_page(operator_client: Client, upstream: Upstream, settings: Settings) -> None:
    settings.BYCLOUD_REGIONS = {"spo1": Region("spo1", upstream.url.removesuffix("/_sandbox"))}
    pages = [operator_client.get(LIST)]
    pages.append(operator_client.get(detail_url(pages[0])))
    spoil(upstream, {"status": 401})
    pages.append(operator_client.get(f"{LIST}?name=other"))
    assert all("sandbox-acme-token" not in text(page) for page in pages)
