"""Ids in URLs and forms: ownership is always checked, and other members' objects give 404."""

from itertools import count
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Invitation, Member
from portal.audit.models import Event
from portal.bycloud import BearerToken
from portal.credentials.models import Credential
from portal.sandbox.server import Sandbox
from portal.saved_views.models import DefaultView, SavedView
from tests.credentials.rows import keep
from tests.journeys.pages import ids

LIST = "/spo1/instances/"


@pytest.fixture
def as_vera(client: Client, vera: Member, sandbox: Sandbox) -> Client:
    """Vera, who sees the twelve instances of globex."""
    keep(vera, BearerToken("sandbox-globex-token"))
    client.force_login(vera)
    return client


@pytest.fixture
def private(otto: Member) -> SavedView:
    """A view of otto's that no one else may know of."""
    return SavedView.objects.create(owner=otto, region="spo1", name="ottos-own", query="name=web-*")


@pytest.mark.parametrize("who", ["viewer", "admin"])
@pytest.mark.parametrize("page", ["", "default/", "remove/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_members_private_view_is_not_there(
    as_vera: Client, ada: Member, private: SavedView, *, who: str, page: str, method: str
) -> None:
    if who == "admin":
        as_vera.force_login(ada)
    response = getattr(as_vera, method)(f"/spo1/views/{private.pk}/{page}", {"name": "taken", "is_shared": "on"})
    assert response.status_code in {404, 405}
    assert method == "get" or response.status_code == 404
    private.refresh_from_db()
    assert (private.name, private.is_shared) == ("ottos-own", False)
    assert not DefaultView.objects.exists()
    assert "ottos-own" not in as_vera.get("/spo1/views/").content.decode()
    assert "ottos-own" not in as_vera.get(LIST).content.decode()


def test_a_shared_view_of_another_member_can_be_used_and_not_changed(as_vera: Client, private: SavedView) -> None:
    SavedView.objects.update(is_shared=True)
    assert as_vera.post(f"/spo1/views/{private.pk}/default/").status_code == 302
    for page in ("", "remove/"):
        assert as_vera.post(f"/spo1/views/{private.pk}/{page}", {"name": "taken"}).status_code == 404
    assert SavedView.objects.get().name == "ottos-own"


def test_a_view_of_another_region_is_not_there(as_vera: Client, vera: Member, private: SavedView) -> None:
    SavedView.objects.update(owner=vera)
    assert as_vera.post(f"/sao2/views/{private.pk}/remove/").status_code == 404
    assert SavedView.objects.exists()


def test_no_address_and_no_field_leads_to_another_members_credential(
    as_vera: Client, vera: Member, otto: Member
) -> None:
    personal = keep(otto, BearerToken("sandbox-acme-token"))
    team = keep(None, BearerToken("sandbox-acme-token"))
    aimed: dict[str, Any] = {
        name: value for name in ("member", "member_id", "owner", "user", "pk", "id", "is_team") for value in (otto.pk,)
    }
    for row in (personal, team):
        as_vera.post("/credentials/spo1/remove/", aimed | {"pk": row.pk})
        as_vera.post("/credentials/spo1/check/", aimed | {"pk": row.pk})
        given = {"kind": "bearer", "token": "sandbox-globex-token"}
        as_vera.post("/credentials/spo1/", given | aimed | {"pk": row.pk, "id": row.pk})
        page = as_vera.get("/credentials/", aimed).content.decode() + as_vera.get("/credentials/spo1/").content.decode()
        assert row.fingerprint not in page or row.fingerprint == Credential.objects.get(member=vera).fingerprint
    for row in (personal, team):
        kept = Credential.objects.get(pk=row.pk)
        assert (kept.member_id, bytes(kept.encrypted), kept.fingerprint) == (
            row.member_id,
            bytes(row.encrypted),
            row.fingerprint,
        )


def test_an_instance_that_another_credential_has_seen_is_not_there(
    as_vera: Client, ada: Member, sandbox: Sandbox
) -> None:
    keep(ada, BearerToken("sandbox-acme-token"))
    other = Client()
    other.force_login(ada)
    theirs = ids(other.get(LIST))[0]
    assert other.get(f"{LIST}{theirs}/").status_code == 200
    assert as_vera.get(f"{LIST}{theirs}/").status_code == 404
    assert as_vera.get(f"{LIST}{theirs}.json").status_code == 404
    for page in ("refresh/", "revalidate/"):
        response = as_vera.post(f"{LIST}{page}", {"instance": theirs}, follow=True)
        assert response.status_code in {403, 404}


@pytest.mark.parametrize(
    "path",
    ["/team/{member}/role/", "/team/{member}/deactivate/", "/team/{member}/activate-again/"],
)
def test_the_ids_of_the_team_are_nothing_to_who_does_not_keep_it(as_vera: Client, otto: Member, path: str) -> None:
    address = path.format(member=otto.pk)
    assert as_vera.post(address, {"role": "admin"}).status_code == 403
    assert as_vera.post(path.format(member=10**6)).status_code == 403, "tells who exists"
    otto.refresh_from_db()
    assert (otto.role, otto.is_active) == ("operator", True)


def test_an_invitation_cannot_be_revoked_or_accepted_by_its_number(as_vera: Client, ada: Member) -> None:
    invitation = Invitation(name="eve", created_by=ada)
    invitation.make_token()
    invitation.save()
    assert as_vera.post(f"/team/invitations/{invitation.pk}/revoke/").status_code == 403
    for guess in (invitation.pk, invitation.token_hash):
        assert Client().get(f"/invitations/{guess}/").status_code == 404
    assert Invitation.objects.pending().exists()


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**200, "1e3", "0x1", "１"])
def test_a_number_that_cannot_be_an_id_is_not_found(as_vera: Client, ada: Member, number: int | str) -> None:
    as_vera.force_login(ada)
    for path in ("/team/{}/role/", "/team/{}/deactivate/", "/spo1/views/{}/"):
        assert as_vera.get(path.format(number)).status_code == 404
    assert as_vera.get("/audit/", {"before": number}).status_code in {200, 422}


def test_asking_for_what_is_not_their_own_changes_nothing(as_vera: Client, private: SavedView) -> None:
    before = Event.objects.count()
    for number in zip(count(private.pk), range(5), strict=False):
        as_vera.post(f"/spo1/views/{number[0]}/remove/")
    assert Event.objects.count() == before
