"""After a 401, *Check again* sends one request to ByCloud, and recovers if the credential is valid after all."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.gateway.rate_limit import ATTEMPTS_PER_MEMBER
from tests.credentials.rows import keep
from tests.journeys.pages import LIST, ask_htmx, detail_url, form, has_rows, ids, link, words
from tests.upstream import Upstream

CHECK = f"{LIST}check-credential/"
OLD = timedelta(minutes=1)


def test_one_refusal_is_healed_without_a_new_token(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    rows = ids(operator_client.get(f"{LIST}?status=ACTIVE"))
    clock.shift(OLD)
    upstream.script(times=1, status=401)
    refused = ask_htmx(operator_client, f"{LIST}?status=ACTIVE", "results", **{"Portal-Refresh": "1"})
    assert link(refused, "Replace token")
    action, fields = form(refused, "Check again")
    assert action == CHECK
    asked = len(upstream.requests())
    healed = operator_client.post(action, fields, follow=True)
    ((address, status),) = healed.redirect_chain
    assert (status, "status=ACTIVE" in address) == (303, True)
    assert ids(healed) == rows
    assert "rejected your token" not in words(healed)
    assert "The credential for spo1 is valid" in words(healed)
    assert len(upstream.requests()) == asked + 2
    # Other pages that met the refusal, too.
    assert "rejected your token" not in words(operator_client.get(LIST))


def test_a_page_that_met_the_refusal_does_not_speak_of_it_any_more(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    operator_client.get(f"{LIST}?limit=50")
    clock.shift(OLD)
    upstream.script(times=1, status=401)
    assert "rejected your token" in words(
        ask_htmx(operator_client, f"{LIST}?limit=50", "results", **{"Portal-Refresh": "1"})
    )
    operator_client.post(CHECK, {"query": ""})
    assert "rejected your token" not in words(operator_client.get(f"{LIST}?limit=50"))


def test_an_instances_page_offers_it_and_comes_back_to_itself(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    url = detail_url(operator_client.get(LIST))
    clock.shift(OLD)
    upstream.script(times=1, status=401)
    refused = ask_htmx(operator_client, url, "instance", **{"Portal-Refresh": "1"})
    action, fields = form(refused, "Check again")
    healed = operator_client.post(action, fields, follow=True)
    assert (healed.status_code, healed.redirect_chain[-1][0].partition("?")[0]) == (200, url.partition("?")[0])
    assert "rejected your token" not in words(healed)


def test_a_token_that_is_refused_again_leads_back_and_says_so(client: Client, vera: Member, upstream: Upstream) -> None:
    keep(vera, BearerToken("no-longer-good"))
    client.force_login(vera)
    action, fields = form(client.get(LIST), "Check again")
    asked = len(upstream.requests())
    again = client.post(action, fields, follow=True)
    assert "ByCloud rejected the credential for spo1 (401)" in words(again)
    assert not has_rows(again)
    assert len(upstream.requests()) == asked + 1
    assert form(again, "Check again")


def test_who_reads_with_the_teams_token_may_check_it_too(client: Client, vera: Member, upstream: Upstream) -> None:
    keep(None, BearerToken("sandbox-globex-token"))
    client.force_login(vera)
    upstream.script(times=1, status=401)
    action, fields = form(client.get(LIST), "Check again")
    assert has_rows(client.post(action, fields, follow=True))


def test_checking_is_bounded_in_rate(client: Client, vera: Member, upstream: Upstream) -> None:
    keep(vera, BearerToken("no-longer-good"))
    client.force_login(vera)
    client.get(LIST)
    asked = len(upstream.requests())
    for _ in range(ATTEMPTS_PER_MEMBER + 10):
        said = client.post(CHECK, {"query": ""}, follow=True)
    assert "too many credentials were tried within a minute" in words(said)
    assert len(upstream.requests()) == asked + ATTEMPTS_PER_MEMBER


@pytest.mark.parametrize("given", [{}, {"query": "nonsense=1"}, {"instance": "no-id"}, {"query": "limit=x"}])
def test_what_is_sent_along_may_be_nonsense(
    client: Client, vera: Member, upstream: Upstream, given: dict[str, str]
) -> None:
    keep(vera, BearerToken("no-longer-good"))
    client.force_login(vera)
    back = client.post(CHECK, given)
    assert (back.status_code, back.headers["Location"].partition("?")[0]) == (303, LIST)


def test_without_a_credential_one_is_asked_for(client: Client, vera: Member, upstream: Upstream) -> None:
    client.force_login(vera)
    assert "Access token" in words(client.post(CHECK))
    assert upstream.requests() == []


def test_a_page_that_is_fresh_is_not_asked_for_again(viewing: Client, upstream: Upstream) -> None:
    """To insist is for those who may force a refresh."""
    viewing.get(f"{LIST}?limit=20")
    asked = len(upstream.requests())
    assert has_rows(viewing.post(CHECK, {"query": "limit=20"}, follow=True))
    assert len(upstream.requests()) == asked + 1
