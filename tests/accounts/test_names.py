"""User names and email addresses that look like another member's."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from portal.accounts.forms import AcceptForm, InvitationForm
from portal.accounts.models import Member
from tests.conftest import PASSWORD

# Dotless i, Cyrillic, full width, a long s, the Kelvin sign, an accent of its own, an invisible sign.
LOOK_ALIKES = ["vıra", "vеra", "ｖｅｒａ²", "veraſ", "\u212aelvin-vera", "véra", "ve\u0301ra", "ve\u200bra"]
IDLE = {"password1": "four-green-doors", "password2": "four-green-doors"}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_new_name_has_plain_letters_alone(db: None, name: str) -> None:
    form = AcceptForm(IDLE | {"username": name})
    if form.is_valid():
        # Unicode's compatible forms of plain letters become them.
        assert form.cleaned_data["username"].isascii()
    else:
        assert form.errors["username"] == ["Use letters a to z, digits and . + - _ only."]
    with pytest.raises(CommandError, match="Use letters a to z"):
        call_command("add_member", name, role="viewer")


@pytest.mark.parametrize("name", ["VERA", "Vera", "vEra"])
def test_one_name_in_any_case_and_spelling_is_one_members(vera: Member, name: str) -> None:
    form = AcceptForm(IDLE | {"username": name})
    assert form.errors["username"] == ["This user name is taken."]


def test_a_new_name_is_in_lower_case_where_no_capital_i_looks_like_an_l(db: None) -> None:
    form = AcceptForm(IDLE | {"username": "AIice"})
    assert form.save().username == "aiice"


def test_who_has_another_name_from_before_keeps_it(client: Client, vera: Member) -> None:
    Member.objects.filter(pk=vera.pk).update(username="João-İ")
    assert client.post("/sign-in/", {"login": "João-İ", "password": PASSWORD}).status_code == 302


def test_a_look_alike_from_before_is_found_for_no_other_name(client: Client, vera: Member) -> None:
    other = Member.objects.create_user("x", "x@example.com", "another-long-password")
    # Before vera in the table's order, as a search for the first finds it.
    Member.objects.filter(pk=other.pk).update(username="ira")
    Member.objects.filter(pk=vera.pk).update(username="ıra")
    for typed in ("ira", "IRA"):
        assert Member.objects.find_by_login(typed) == other
    assert Member.objects.find_by_login("ıra") == vera
    for login, password, member in (("ira", "another-long-password", other), ("ıra", PASSWORD, vera)):
        browser = Client()
        assert browser.post("/sign-in/", {"login": login, "password": password}).status_code == 302
        assert browser.session["_auth_user_id"] == str(member.pk)


@pytest.mark.parametrize("email", ["mıke@example.com", "mike@exаmple.com"])
def test_a_new_address_has_plain_letters_alone(db: None, email: str) -> None:
    form = InvitationForm({"name": "Mike", "role": "viewer", "email": email})
    assert "Use an e-mail address without accented letters" in form.errors["email"][0]
    with pytest.raises(ValidationError):
        Member(username="mike", email=email, password="x").full_clean()


def test_one_address_in_any_case_is_one_members(vera: Member) -> None:
    form = InvitationForm({"name": "Vera", "role": "viewer", "email": "VERA@Example.com"})
    assert form.errors["email"] == ["This e-mail address is already in use."]
    with pytest.raises(ValidationError, match="This e-mail address is already in use"):
        Member(username="w", email="VERA@Example.com", password="x").full_clean()
