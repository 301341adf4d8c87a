"""The pages where members manage their own credentials, over real HTTP to the sandbox."""

from contextlib import ExitStack
from html import unescape
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.bycloud import ApiKey, BearerToken, Region
from portal.credentials import services as credential_services
from portal.credentials import vault
from portal.credentials.forms import CredentialForm
from portal.credentials.models import Credential, Kind
from portal.gateway.concurrency import RESERVED_THREADS, acquire_slot
from portal.sandbox.server import Sandbox
from tests.conftest import PASSWORD
from tests.credentials.rows import find_credential, keep
from tests.upstream import Upstream

LIST = "/credentials/"
EDIT = "/credentials/spo1/"
REMOVE = "/credentials/spo1/remove/"
CHECK = "/credentials/spo1/check/"
TOKEN = {"kind": "bearer", "token": "sandbox-acme-token"}
API_KEY = {"kind": "api-key", "access_key_id": "AKIASANDBOXACME", "secret_access_key": "sandbox-acme-secret"}
REFUSED_TOKEN = {"kind": "bearer", "token": "a-token-nobody-gave-out"}
OLD = BearerToken("an-older-token")


def text_of(response: Any) -> str:
    return str(response.content.decode())


def find_row(member: Member) -> Credential | None:
    return Credential.objects.filter(member=member, region="spo1").first()


def test_the_urls_are_the_agreed_ones(sandbox: Sandbox) -> None:
    spo1 = Region("spo1", sandbox.url)
    assert reverse("credentials:list") == LIST
    assert reverse("credentials:edit", args=[spo1]) == reverse("credentials:edit", args=["spo1"]) == EDIT
    assert reverse("credentials:remove", args=["spo1"]) == REMOVE


def test_the_list_has_a_line_for_each_region(viewer_client: Client) -> None:
    text = text_of(viewer_client.get(LIST))
    assert 'data-region="spo1"' in text
    assert 'data-region="sao2"' in text
    assert "None yet" in text


@pytest.mark.parametrize(
    ("given", "credential"),
    [
        (TOKEN, BearerToken("sandbox-acme-token")),
        (API_KEY, ApiKey("AKIASANDBOXACME", "sandbox-acme-secret")),
        ({**TOKEN, "token": " sandbox-acme-token\r\n"}, BearerToken("sandbox-acme-token")),
    ],
)
def test_a_credential_bycloud_takes_is_saved_and_shown_as_a_fingerprint(
    viewer_client: Client, vera: Member, given: dict[str, str], credential: BearerToken | ApiKey
) -> None:
    response = viewer_client.post(EDIT, given, follow=True)
    row = find_row(vera)
    assert row is not None
    assert row.checked_at is not None
    assert vault.decrypt(bytes(row.encrypted), member_id=vera.pk, region="spo1") == credential
    assert response.redirect_chain == [(LIST, 302)]
    assert "verified and saved" in text_of(response)
    assert row.fingerprint in text_of(response)
    assert row.get_kind_display() in text_of(response)


def test_saving_asks_bycloud_for_one_instance_once(viewer_client: Client, upstream: Upstream) -> None:
    viewer_client.post(EDIT, TOKEN)
    assert len(upstream.requests()) == 1
    assert "limit=1" in str(upstream.requests()[0])


def test_setting_is_on_record_by_fingerprint(viewer_client: Client, vera: Member) -> None:
    viewer_client.post(EDIT, TOKEN)
    row = find_row(vera)
    assert row is not None
    event = Event.objects.get(act=Action.CREDENTIAL_SET)
    assert (event.member, event.subject) == (vera, f"spo1 {row.fingerprint}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            REFUSED_TOKEN,
            "rejected this credential (401)",
        ),
        ({**TOKEN, "token": "sandbox-forbidden-token"}, "(403)"),
    ],
)
def test_what_bycloud_refuses_is_not_stored_and_the_earlier_one_stays(
    viewer_client: Client, vera: Member, given: dict[str, str], words: str
) -> None:
    keep(vera, OLD)
    response = viewer_client.post(EDIT, given)
    assert response.status_code == 422
    assert words in text_of(response)
    assert 'id="credential_token_error"' in text_of(response)
    assert find_credential(vera, Region("spo1", "")) == OLD
    assert not Event.objects.filter(act=Action.CREDENTIAL_SET).exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500}, "had an error (500)"),
        ({"status": 429}, "ByCloud&#39;s rate limit was reached (429)"),
        ({"status": 404}, "rejected the request (404)"),
        ({"body": "<p>not JSON</p>"}, "ByCloud sent an unexpected response"),
    ],
)
def test_when_bycloud_cannot_tell_it_is_stored_as_unchecked(
    viewer_client: Client, vera: Member, upstream: Upstream, fault: dict[str, object], words: str
) -> None:
    upstream.script(times=9, **fault)
    response = viewer_client.post(EDIT, TOKEN, follow=True)
    row = find_row(vera)
    assert row is not None
    assert row.checked_at is None
    assert "saved, but not verified:" in text_of(response)
    assert words in text_of(response)
    assert "Not verified yet" in text_of(response)


def test_when_bycloud_cannot_be_reached_it_is_stored_as_unchecked(viewer_client: Client, vera: Member) -> None:
    response = viewer_client.post("/credentials/sao2/", TOKEN, follow=True)
    assert Credential.objects.get(member=vera, region="sao2").checked_at is None
    assert "could not be reached" in text_of(response)


def test_when_bycloud_is_too_slow_it_is_stored_as_unchecked(
    viewer_client: Client, vera: Member, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_LIMITS = type(settings.BYCLOUD_LIMITS)(deadline_seconds=0.2)
    upstream.script(times=9, delay=1)
    response = viewer_client.post(EDIT, TOKEN, follow=True)
    assert find_row(vera) is not None
    assert "did not answer in time" in text_of(response)


def test_when_as_many_wait_for_bycloud_as_may_it_is_stored_as_unchecked(
    viewer_client: Client, vera: Member, settings: Settings, upstream: Upstream
) -> None:
    with ExitStack() as places:
        for _ in range(settings.WEB_THREADS - RESERVED_THREADS):
            places.enter_context(acquire_slot())
        response = viewer_client.post(EDIT, TOKEN, follow=True)
    assert find_row(vera) is not None
    assert "did not answer in time" in text_of(response)
    assert upstream.requests() == []


def test_when_the_portals_own_rate_limit_is_reached_it_is_stored_as_unchecked_and_bycloud_is_not_blamed(
    viewer_client: Client, vera: Member, settings: Settings, upstream: Upstream
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 1
    viewer_client.post(EDIT, TOKEN)
    response = viewer_client.post(CHECK, follow=True)
    assert "the portal has reached its API rate limit" in text_of(response)
    assert len(upstream.requests()) == 1
    assert find_row(vera) is not None


def test_replacing_keeps_one_row_and_its_dates(viewer_client: Client, vera: Member) -> None:
    before = keep(vera, OLD)
    viewer_client.post(EDIT, API_KEY)
    after = Credential.objects.get(member=vera)
    assert (after.pk, after.created_at) == (before.pk, before.created_at)
    assert after.replaced_at is not None
    assert after.set_at == after.replaced_at > before.set_at
    assert after.kind == Kind.API_KEY
    assert after.fingerprint != before.fingerprint


def test_an_error_keeps_the_kind_and_the_access_key_id_but_no_secret(viewer_client: Client) -> None:
    response = viewer_client.post(EDIT, {**API_KEY, "secret_access_key": "a-wrong-secret"})
    text = text_of(response)
    assert response.status_code == 422
    assert 'value="AKIASANDBOXACME"' in text
    assert 'value="api-key" required id="credential_kind_1" checked' in " ".join(text.split())
    assert "a-wrong-secret" not in text
    assert "enter it once more" in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "bearer"}, "Enter a token, or choose the API key pair"),
        ({"kind": "api-key", "secret_access_key": "a-secret"}, "Enter an access key ID, or choose the bearer token"),
        ({"kind": "api-key", "access_key_id": "AKIA550E8400E29B41D4"}, "Enter the secret access key"),
        (
            {"kind": "bearer", "token": "Bearer sandbox-acme-token"},
            "ASCII letters",
        ),
        (
            {"kind": "bearer", "token": "tökén"},
            "ASCII letters",
        ),
        ({"kind": "bearer", "token": "a\x00b"}, "Null characters"),
        ({"kind": "bearer", "token": "x" * 10_000}, "longer than 8192 characters"),
        ({"kind": "carrier-pigeon", "token": "x"}, "Select a valid choice"),
        ({}, "This field is required"),
    ],
)
def test_what_cannot_be_a_credential_is_named_beside_its_field_and_bycloud_is_not_asked(
    viewer_client: Client, vera: Member, upstream: Upstream, given: dict[str, str], words: str
) -> None:
    response = viewer_client.post(EDIT, given)
    assert response.status_code == 422
    assert words in text_of(response)
    assert f'value="{given.get("token")}"' not in text_of(response)
    assert find_row(vera) is None
    assert upstream.requests() == []


def test_a_whole_pair_in_the_field_of_the_id_is_not_shown_again(viewer_client: Client) -> None:
    text = text_of(
        viewer_client.post(EDIT, {"kind": "api-key", "access_key_id": "AKIASANDBOXACME:sandbox-acme-secret"})
    )
    assert "An access key ID contains no colon. Enter the part after it as the secret access key" in text
    assert "sandbox-acme-secret" not in text


def test_the_other_kinds_fields_are_not_looked_at(viewer_client: Client, vera: Member) -> None:
    viewer_client.post(EDIT, {**TOKEN, "access_key_id": "a\x00b", "secret_access_key": "with spaces"})
    assert find_credential(vera, Region("spo1", "")) == BearerToken("sandbox-acme-token")


def test_the_form_starts_with_the_kind_that_is_kept(viewer_client: Client, vera: Member) -> None:
    keep(vera, ApiKey("AKIA550E8400E29B41D4", "a-secret"))
    text = " ".join(text_of(viewer_client.get(EDIT)).split())
    assert 'id="credential_kind_1" checked' in text
    assert "AKIA550E8400E29B41D4</" not in text


def test_after_saving_one_is_back_where_one_came_from(viewer_client: Client) -> None:
    came_from = "/spo1/instances/?name=web-*&status=ACTIVE"
    form = viewer_client.get(EDIT, {"next": came_from})
    assert 'name="next" value="/spo1/instances/?name=web-*&amp;status=ACTIVE"' in text_of(form)
    response = viewer_client.post(EDIT, {**TOKEN, "next": came_from})
    assert response["Location"] == came_from


def test_the_way_back_outlives_an_error(viewer_client: Client) -> None:
    response = viewer_client.post(f"{EDIT}?next=/spo1/instances/", REFUSED_TOKEN)
    assert 'name="next" value="/spo1/instances/"' in text_of(response)


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "\\\\elsewhere.example"]
)
def test_the_way_back_never_leads_elsewhere(viewer_client: Client, elsewhere: str) -> None:
    assert (
        'name="next" value="'
        not in text_of(viewer_client.get(EDIT, {"next": elsewhere})).split('id="credential_form"')[1]
    )
    assert viewer_client.post(EDIT, {**TOKEN, "next": elsewhere})["Location"] == LIST


def test_removing_is_asked_about_before_it_is_done(viewer_client: Client, vera: Member) -> None:
    assert REMOVE not in text_of(viewer_client.get(EDIT))
    keep(vera, OLD)
    assert f'href="{EDIT}#removal"' in text_of(viewer_client.get(LIST))
    assert f'method="post" action="{REMOVE}"' in text_of(viewer_client.get(EDIT)).split('id="removal"')[1]


def test_a_removed_credential_is_gone_and_on_record(viewer_client: Client, vera: Member) -> None:
    row = keep(vera, OLD)
    response = viewer_client.post(REMOVE, follow=True)
    assert find_row(vera) is None
    assert "Credential for spo1 removed" in text_of(response)
    event = Event.objects.get(act=Action.CREDENTIAL_REMOVED)
    assert (event.member, event.subject) == (vera, f"spo1 {row.fingerprint}")


def test_removing_twice_says_so_and_records_once(viewer_client: Client, vera: Member) -> None:
    keep(vera, OLD)
    viewer_client.post(REMOVE)
    response = viewer_client.post(REMOVE, follow=True)
    assert "no credential for spo1 to remove" in text_of(response)
    assert Event.objects.filter(act=Action.CREDENTIAL_REMOVED).count() == 1


def test_a_get_never_removes(viewer_client: Client, vera: Member) -> None:
    keep(vera, OLD)
    assert viewer_client.get(REMOVE).status_code == 405
    assert find_row(vera) is not None


def test_a_credential_for_a_region_no_longer_served_can_still_be_removed(viewer_client: Client, vera: Member) -> None:
    keep(vera, OLD, region="old1")
    assert "no longer serves old1" in text_of(viewer_client.get(LIST))
    assert viewer_client.get("/credentials/old1/").status_code == 404
    viewer_client.post("/credentials/old1/remove/")
    assert not Credential.objects.exists()


def test_no_one_reaches_another_members_credential(viewer_client: Client, ada: Member, vera: Member) -> None:
    of_ada = keep(ada, OLD)
    assert of_ada.fingerprint not in text_of(viewer_client.get(LIST))
    assert of_ada.fingerprint not in text_of(viewer_client.get(EDIT))
    viewer_client.post(REMOVE)
    viewer_client.post(EDIT, TOKEN)
    assert find_credential(ada, Region("spo1", "")) == OLD


def test_a_credential_under_a_lost_key_is_said_and_can_be_entered_again(
    viewer_client: Client, vera: Member, settings: Settings
) -> None:
    keep(vera, OLD)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert "Can't be decrypted; enter it again" in unescape(text_of(viewer_client.get(LIST)))
    assert "can't be decrypted" in text_of(viewer_client.get(EDIT))
    viewer_client.post(EDIT, TOKEN)
    assert find_credential(vera, Region("spo1", "")) == BearerToken("sandbox-acme-token")


def test_without_any_key_the_page_says_who_must_act(
    viewer_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = []
    response = viewer_client.post(EDIT, TOKEN)
    assert response.status_code == 422
    assert "CREDENTIAL_KEYS" in text_of(response)
    assert upstream.requests() == []


def test_reading_the_pages_changes_nothing(viewer_client: Client, vera: Member) -> None:
    keep(vera, OLD)
    before = list(Credential.objects.values())
    viewer_client.get(LIST)
    viewer_client.get(EDIT)
    assert list(Credential.objects.values()) == before


def test_the_secret_fields_are_passwords_without_autocomplete(viewer_client: Client) -> None:
    text = text_of(viewer_client.get(EDIT))
    for name in ("token", "secret_access_key"):
        field = next(part for part in text.split("<input ") if f'name="{name}"' in part)
        assert 'type="text"' in field, "a browser would fill in the password saved for the portal"
        assert 'class="secret"' in field
        assert 'autocomplete="off"' in field


@pytest.mark.parametrize("region", ["spo1", "sao2"])
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({**TOKEN, "token": PASSWORD}, "token"),
        ({**TOKEN, "token": f"  {PASSWORD}\t"}, "token"),
        ({**TOKEN, "token": f"vera:{PASSWORD}"}, "token"),
        ({**API_KEY, "access_key_id": "vera", "secret_access_key": PASSWORD}, "secret_access_key"),
        ({**API_KEY, "secret_access_key": f"vera:{PASSWORD}"}, "secret_access_key"),
        ({**API_KEY, "access_key_id": PASSWORD}, "access_key_id"),
    ],
)
def test_the_members_own_password_is_refused_before_anything_is_sent_or_stored(
    viewer_client: Client, upstream: Upstream, given: dict[str, str], field: str, region: str
) -> None:
    response = viewer_client.post(f"/credentials/{region}/", given)
    assert response.status_code == 422
    assert f'id="credential_{field}_error"' in text_of(response)
    assert "your password for the portal" in text_of(response)
    assert PASSWORD not in text_of(response)
    assert upstream.requests() == []
    assert not Credential.objects.exists()


def test_a_password_with_blanks_around_it_is_refused_too(
    viewer_client: Client, vera: Member, upstream: Upstream
) -> None:
    vera.set_password(f" {PASSWORD} ")
    vera.save()
    viewer_client.force_login(vera)
    assert "your password for the portal" in text_of(viewer_client.post(EDIT, {**TOKEN, "token": f" {PASSWORD} "}))
    assert upstream.requests() == []


def test_an_unknown_region_is_not_found(viewer_client: Client) -> None:
    assert viewer_client.get("/credentials/nowhere/").status_code == 404


def render_missing(rf: RequestFactory, **context: object) -> str:
    """The part that other pages show in place of what a credential would have brought."""
    request = rf.get("/spo1/instances/?name=web-*&status=ACTIVE")
    region = Region("spo1", "http://127.0.0.1:1")
    shown = {"region": region, "form": CredentialForm(), "problem": "", "next": "", **context}
    return render_to_string("credentials/_missing.html", shown, request=request)


def test_where_a_credential_is_missing_the_form_stands_and_leads_back(rf: RequestFactory) -> None:
    text = render_missing(rf)
    assert "No credential for spo1 yet" in text
    assert "Cancel" not in text, "it would lead to this very page"
    assert "Service Accounts" in text
    assert f'method="post" action="{EDIT}"' in text
    assert 'name="next" value="/spo1/instances/?name=web-*&amp;status=ACTIVE"' in text
    assert 'value="/elsewhere/"' in render_missing(rf, next="/elsewhere/")


def test_where_a_credential_does_not_open_the_form_stands_below_the_reason(rf: RequestFactory) -> None:
    text = render_missing(rf, problem="It cannot be opened.")
    assert "No credential" not in text
    assert "It cannot be opened." in text
    assert f'action="{EDIT}"' in text


def test_an_unchecked_credential_is_checked_without_entering_it_again(
    viewer_client: Client, vera: Member, upstream: Upstream
) -> None:
    upstream.script(status=500, times=None)
    viewer_client.post(EDIT, TOKEN)
    upstream.clear()
    before = find_row(vera)
    assert before is not None
    assert before.checked_at is None
    assert f'action="{CHECK}"' in text_of(viewer_client.get(LIST))
    response = viewer_client.post(CHECK, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert "The credential for spo1 is valid." in text_of(response)
    row = find_row(vera)
    assert row is not None
    assert row.checked_at is not None
    assert bytes(row.encrypted) == bytes(before.encrypted)
    assert ["limit=1" in str(request) for request in upstream.requests()] == [True]


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("a-token-nobody-gave-out", "ByCloud rejected the credential for spo1 (401)"),
        ("sandbox-forbidden-token", "allowed to list instances (403)"),
    ],
)
def test_a_check_that_ends_in_a_refusal_says_so_and_keeps_the_credential(
    viewer_client: Client, vera: Member, token: str, sentence: str
) -> None:
    keep(vera, BearerToken(token))
    before = find_row(vera)
    assert sentence in text_of(viewer_client.post(CHECK, follow=True))
    after = find_row(vera)
    assert before is not None
    assert after is not None
    assert (bytes(after.encrypted), after.checked_at) == (bytes(before.encrypted), before.checked_at)


def test_a_check_that_no_one_answers_says_why(viewer_client: Client, vera: Member, upstream: Upstream) -> None:
    keep(vera, OLD)
    upstream.script(status=500, times=None)
    assert "could not be verified: ByCloud had an error (500)" in text_of(viewer_client.post(CHECK, follow=True))


def test_a_check_is_of_their_own_credential_alone(
    viewer_client: Client, vera: Member, otto: Member, upstream: Upstream
) -> None:
    keep(otto, BearerToken("sandbox-acme-token"))
    assert "There is no credential for spo1 to verify." in text_of(viewer_client.post(CHECK, follow=True))
    assert upstream.requests() == []
    assert find_row(vera) is None


def test_a_credential_that_cannot_be_opened_cannot_be_checked_either(
    viewer_client: Client, vera: Member, settings: Settings, upstream: Upstream
) -> None:
    keep(vera, OLD)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert f'action="{CHECK}"' not in text_of(viewer_client.get(LIST))
    assert "can&#39;t be decrypted. Enter it again" in text_of(viewer_client.post(CHECK, follow=True))
    assert upstream.requests() == []


def test_a_check_says_nothing_of_a_credential_saved_in_the_meantime(vera: Member, sandbox: Sandbox) -> None:
    keep(vera, BearerToken("sandbox-acme-token"))
    row = find_row(vera)
    assert row is not None
    Credential.objects.filter(pk=row.pk).update(fingerprint="00:00:00:00", checked_at=None)
    credential_services.check_again(row, region=Region("spo1", sandbox.url), member=vera)
    row.refresh_from_db()
    assert row.checked_at is None


def test_the_way_back_with_backslashes_stays_here(viewer_client: Client) -> None:
    text = text_of(viewer_client.get(EDIT, {"next": r"http://testserver/\elsewhere.example/"}))
    assert 'name="next" value="/elsewhere.example/"' in text
