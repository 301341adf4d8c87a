"""Every form of the portal without its token, and with fields that it does not have."""

import pytest
from django.test import Client

from portal.accounts.capabilities import Role
from portal.accounts.models import Member
from tests.conftest import PASSWORD
from tests.rules.test_access import ROUTES

WITH_FORMS = {name: route for name, route in ROUTES.items() if "POST" in route.methods}
ESCALATING = {
    "role": "admin",
    "is_superuser": "1",
    "is_staff": "1",
    "is_active": "1",
    "id": "1",
    "pk": "1",
    "member": "1",
    "username": "root-of-all",
    "password": "an-entirely-other-password",
}


@pytest.mark.parametrize("name", WITH_FORMS)
def test_no_form_is_taken_without_its_token(ada: Member, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post(WITH_FORMS[name].path)
    assert answer.status_code == 403
    assert "This form is no longer good" in answer.content.decode()


@pytest.mark.parametrize("name", [name for name in WITH_FORMS if name not in {"account_login", "account_logout"}])
def test_no_form_takes_a_field_that_makes_its_sender_more_than_she_is(vera: Member, name: str) -> None:
    client = Client()
    client.force_login(vera)
    client.post(WITH_FORMS[name].path, ESCALATING | {"old_password": PASSWORD})
    vera.refresh_from_db()
    assert (vera.role, vera.is_superuser, vera.is_staff, vera.username) == (Role.VIEWER, False, False, "vera")
    assert vera.check_password(PASSWORD)
