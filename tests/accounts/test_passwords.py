"""New passwords: change, reset by email, reset link."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.core.permissions import Role
from tests.accounts.test_sessions import enter_as_ada, is_in, sign_in, text_of
from tests.conftest import PASSWORD

NEW = "an-entirely-other-password"
# More than a database has room for.
HUGE = urlsafe_base64_encode(f"{10**30}-{10**30}".encode())


def change(client: Client, **fields: str) -> Any:
    given = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW} | fields
    return client.post("/password/", given)


def make_link(member: Member, client: Client) -> str:
    answer = client.post(f"/team/{member.pk}/password/")
    assert answer.status_code == 200
    found = re.search(r'id="password-link">http://testserver([^<]+)<', answer.content.decode())
    assert found
    return found[1]


def choose(client: Client, link: str, password: str = NEW) -> Any:
    return client.post(link, {"new_password1": password, "new_password2": password})


def wait_for_mail() -> mail.EmailMessage:
    from threading import enumerate as list_threads  # noqa: PLC0415

    for thread in list_threads():
        if thread.name == "mail":
            thread.join(10)
    (message,) = mail.outbox
    return message


def test_a_changed_password_ends_all_other_sessions_and_this_one_goes_on_under_a_new_id(vera: Member) -> None:
    other, client = sign_in("vera"), sign_in("vera")
    before = client.session.session_key
    assert change(client).status_code == 302
    assert client.session.session_key != before
    assert (is_in(client), is_in(other)) == (True, False)
    vera.refresh_from_db()
    assert vera.check_password(NEW)
    assert Event.objects.filter(act=Action.PASSWORD_CHANGED, member=vera).count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"old_password": "wrong"}, "entered incorrectly"),
        ({"new_password2": "another-password"}, "match"),
        ({"new_password1": "short1", "new_password2": "short1"}, "at least 12 characters"),
        ({"new_password1": "password1234", "new_password2": "password1234"}, "too common"),
        ({"new_password1": "vera@example.com", "new_password2": "vera@example.com"}, "too similar"),
    ],
)
def test_a_weak_or_mistyped_password_is_refused_beside_its_field(
    vera: Member, fields: dict[str, str], words: str
) -> None:
    client = sign_in("vera")
    answer = change(client, **fields)
    assert answer.status_code == 422
    assert words in text_of(answer)
    vera.refresh_from_db()
    assert vera.check_password(PASSWORD)


@pytest.mark.parametrize("password", ["ByCloud-Portal-2026", "portalportalportal", "acmebycloud1234"])
def test_a_password_that_is_little_more_than_words_of_this_place_is_refused(
    vera: Member, settings: Settings, password: str
) -> None:
    settings.PASSWORD_WORDS = [*settings.PASSWORD_WORDS, "Acme"]
    answer = change(sign_in("vera"), new_password1=password, new_password2=password)
    assert "This password is too easy to guess" in text_of(answer)


def test_a_long_password_may_have_such_a_word_in_it(vera: Member) -> None:
    word = "my-portal-has-a-green-door"
    assert change(sign_in("vera"), new_password1=word, new_password2=word).status_code == 302


def test_the_old_password_cannot_be_guessed_there(vera: Member) -> None:
    client = sign_in("vera")
    for _ in range(5):
        change(client, old_password="wrong")
    assert "Too many attempts" in text_of(change(client))
    vera.refresh_from_db()
    assert vera.check_password(PASSWORD)


def test_past_the_limit_nothing_tells_whether_the_old_password_was_right(vera: Member) -> None:
    client = sign_in("vera")
    for _ in range(5):
        change(client, old_password="wrong")
    # Django masks the form's check value anew on each page, and the page holds its own time.
    right, wrong = (
        re.sub(r'(value|data-now)="[^"]*"', "", change(client, old_password=word).content.decode())
        for word in (PASSWORD, "wrong")
    )
    assert right == wrong


def test_an_admins_link_sets_a_password_once_and_ends_all_sessions(ada: Member, vera: Member, client: Client) -> None:
    member, admin = sign_in("vera"), enter_as_ada()
    link = make_link(vera, admin)
    assert "For vera." in text_of(client.get(link))
    answer = choose(client, link)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not is_in(member)
    vera.refresh_from_db()
    assert vera.check_password(NEW)
    assert client.get(link).status_code == 404
    assert choose(client, link, "yet-another-password").status_code == 404
    acts = list(
        Event.objects.filter(act__in=[Action.PASSWORD_LINK_MADE, Action.PASSWORD_CHANGED]).values_list("act", "name")
    )
    assert sorted(acts) == [(Action.PASSWORD_CHANGED, "vera"), (Action.PASSWORD_LINK_MADE, "ada")]
    assert link.split("/")[-2] not in " ".join(Event.objects.values_list("subject", flat=True))


def test_a_link_that_is_used_in_a_browser_where_the_member_is_signed_in_ends_that_session_too(
    ada: Member, vera: Member, clock: time_machine.Traveller
) -> None:
    member = sign_in("vera")
    link = make_link(vera, enter_as_ada())
    clock.shift(timedelta(minutes=2))
    answer = choose(member, link)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert "Your password was reset. Sign in with the new one" in text_of(member.get("/sign-in/"))
    assert not is_in(member)


def test_an_admin_cannot_make_a_link_for_themselves_and_skip_the_old_password(ada: Member, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    admin = enter_as_ada()
    page = admin.get("/team/").content.decode()
    assert f'action="/team/{otto.pk}/password/"' in page
    assert f'action="/team/{ada.pk}/password/"' not in page
    answer = admin.post(f"/team/{ada.pk}/password/")
    assert (answer.status_code, answer["Location"]) == (302, "/password/")
    assert not Event.objects.filter(act=Action.PASSWORD_LINK_MADE).exists()


def test_a_link_ends_with_an_hour_a_sign_in_or_the_account(
    ada: Member, vera: Member, otto: Member, client: Client, clock: time_machine.Traveller
) -> None:
    admin = enter_as_ada()
    veras, ottos = make_link(vera, admin), make_link(otto, admin)
    clock.shift(timedelta(minutes=10))
    sign_in("vera")
    assert client.get(veras).status_code == 404
    assert client.get(ottos).status_code == 200
    Member.objects.filter(pk=otto.pk).update(is_active=False)
    assert client.get(ottos).status_code == 404
    Member.objects.filter(pk=otto.pk).update(is_active=True)
    clock.shift(timedelta(minutes=51))
    assert client.get(ottos).status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.OPERATOR}])
def test_a_link_works_only_while_its_maker_may_make_one(
    ada: Member, vera: Member, client: Client, change: dict[str, Any]
) -> None:
    link = make_link(vera, enter_as_ada())
    assert client.get(link).status_code == 200
    Member.objects.filter(pk=ada.pk).update(**change)
    assert client.get(link).status_code == 404
    assert choose(client, link).status_code == 404
    vera.refresh_from_db()
    assert vera.check_password(PASSWORD)


def test_no_one_says_that_another_admin_made_their_link(
    ada: Member, otto: Member, vera: Member, client: Client
) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    key, token = make_link(vera, enter_as_ada()).split("/")[3:5]
    assert client.get(f"/password/new/{key}/{token}/").status_code == 200
    for maker in (f"-{otto.pk}", "-0", ""):
        other = urlsafe_base64_encode(f"{vera.pk}{maker}".encode())
        assert client.get(f"/password/new/{other}/{token}/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/password/new/x/y/", "/password/new/MQ/y/", "/password/new/w7_Dvw/y-z/", f"/password/new/{HUGE}/y-z/"]
)
def test_a_made_up_link_opens_nothing(ada: Member, client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "This link no longer works" in text_of(answer)


def test_without_an_e_mail_server_an_admin_is_the_way(client: Client, vera: Member) -> None:
    assert "Ask an admin" in text_of(client.get("/password/forgotten/"))
    assert client.post("/password/forgotten/", {"login": "vera"}).status_code == 200
    assert not mail.outbox


@pytest.mark.parametrize("login", ["vera", "VERA", "vera@example.com"])
def test_with_one_the_link_is_sent(client: Client, vera: Member, settings: Settings, login: str) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    assert "If that account exists" in text_of(client.post("/password/forgotten/", {"login": login}))
    message = wait_for_mail()
    assert message.to == ["vera@example.com"]
    link = re.search(r"http://testserver(/password/new/\S+)", str(message.body))
    assert link
    assert choose(client, link[1]).status_code == 302
    vera.refresh_from_db()
    assert vera.check_password(NEW)


def test_the_answer_is_the_same_for_who_is_unknown_or_has_no_address(
    client: Client, vera: Member, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    Member.objects.create_user("nomail", password=PASSWORD)
    Member.objects.create_user("gone", "gone@example.com", PASSWORD, is_active=False)
    said = {
        text_of(client.post("/password/forgotten/", {"login": login})) for login in ("vera", "nobody", "nomail", "gone")
    }
    assert len(said) == 1
    assert wait_for_mail().to == ["vera@example.com"]


def test_who_comes_through_the_provider_alone_is_sent_no_link(
    client: Client, vera: Member, ada: Member, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    settings.SSO_ONLY = True
    client.post("/password/forgotten/", {"login": "vera"})
    client.post("/password/forgotten/", {"login": "ada"})
    assert wait_for_mail().to == ["ada@example.com"]


def test_no_one_is_flooded_with_links(client: Client, vera: Member, settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    for _ in range(5):
        assert client.post("/password/forgotten/", {"login": "vera"}).status_code == 200
    assert Event.objects.filter(act=Action.PASSWORD_LINK_MADE).count() == 3


def test_name_and_address_of_one_account_share_one_count_of_links(
    client: Client, vera: Member, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    for login in ("vera", "vera@example.com", "VERA", "Vera@Example.com"):
        client.post("/password/forgotten/", {"login": login})
    assert Event.objects.filter(act=Action.PASSWORD_LINK_MADE).count() == 3


def test_an_empty_form_says_what_is_missing(client: Client, db: None, settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    assert client.post("/password/forgotten/", {"login": ""}).status_code == 422


@pytest.mark.parametrize(("path", "field"), [("/password/", "old_password"), ("/second-factor/again/", "password")])
def test_a_wrong_password_of_someone_signed_in_counts_as_at_sign_in_and_is_on_record(
    client: Client, vera: Member, path: str, field: str
) -> None:
    client.force_login(vera)
    for _ in range(5):
        answer = client.post(path, {field: "wrong", "new_password1": NEW, "new_password2": NEW})
        assert answer.status_code in {200, 422}
    found = Event.objects.filter(act=Action.SIGN_IN_FAILED).values_list("member", "name", "subject")
    assert list(found) == [(vera.pk, "vera", "asked again")] * 5
    assert Client().post("/sign-in/", {"login": "vera", "password": PASSWORD}).status_code != 302
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        answer = client.post(path, {field: PASSWORD, "new_password1": NEW, "new_password2": NEW})
    assert "Too many failed attempts" in text_of(answer)
    vera.refresh_from_db()
    assert vera.check_password(PASSWORD)


def test_failures_at_sign_in_count_where_the_password_is_asked_again(client: Client, vera: Member) -> None:
    client.force_login(vera)
    for _ in range(5):
        Client().post("/sign-in/", {"login": "vera@example.com", "password": "wrong"})
    assert "Too many failed attempts" in text_of(change(client))
