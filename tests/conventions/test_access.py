"""Access control: every route × role × method, against a table that is independent of the code."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.core.permissions import Capability
from tests.memory import undone

MEMBER_ID = 900
INSTANCE = "550e8400-e29b-41d4-a716-446655440000"
# POST last: it may end the session.
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST")
READ = ("GET", "HEAD")
FORM = ("GET", "HEAD", "POST")
WRITE = ("POST",)
PEOPLE = ("unsigned", "deactivated", "viewer", "operator", "admin")
EVERYONE = PEOPLE
MEMBERS = ("viewer", "operator", "admin")
OPERATORS = ("operator", "admin")
ADMINS = ("admin",)


@dataclass(frozen=True)
class Route:
    """`path` is one address of the route; `people` get through to the view, with `methods`; the rest do not."""

    path: str
    capability: str
    methods: tuple[str, ...]
    people: tuple[str, ...]


ROUTES = {
    "home": Route("/", "list-instances", READ, MEMBERS),
    "health_live": Route("/health/live/", "public", READ, EVERYONE),
    "health_ready": Route("/health/ready/", "public", READ, EVERYONE),
    "account_login": Route("/sign-in/", "public", FORM, EVERYONE),
    "account_logout": Route("/sign-out/", "public", FORM, EVERYONE),
    "mfa_authenticate": Route("/sign-in/second-factor/", "public", FORM, EVERYONE),
    "mfa_login_webauthn": Route("/sign-in/passkey/", "public", FORM, EVERYONE),
    "accounts:passkey_challenge": Route("/sign-in/passkey/challenge/", "public", WRITE, EVERYONE),
    "accounts:single_sign_on": Route("/sign-in/provider/", "public", WRITE, EVERYONE),
    "accounts:single_sign_on_callback": Route("/sign-in/provider/back/", "public", READ, EVERYONE),
    "account_reauthenticate": Route("/second-factor/again/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_reauthenticate": Route("/second-factor/again/code/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_reauthenticate_webauthn": Route("/second-factor/again/passkey/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_index": Route("/second-factor/", "manage-own-second-factor", READ, MEMBERS),
    "mfa_activate_totp": Route("/second-factor/app/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_add_webauthn": Route("/second-factor/passkeys/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_edit_webauthn": Route("/second-factor/1/name/", "manage-own-second-factor", FORM, MEMBERS),
    "accounts:remove_factor": Route("/second-factor/1/remove/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_view_recovery_codes": Route("/second-factor/recovery-codes/", "manage-own-second-factor", FORM, MEMBERS),
    "mfa_generate_recovery_codes": Route(
        "/second-factor/recovery-codes/renew/", "manage-own-second-factor", WRITE, MEMBERS
    ),
    "accounts:accept_invitation": Route("/invitations/no-such-token/", "public", FORM, EVERYONE),
    "accounts:preferences": Route("/preferences/", "manage-own-preferences", FORM, MEMBERS),
    "accounts:change_theme": Route("/preferences/theme/", "manage-own-preferences", WRITE, MEMBERS),
    "team": Route("/team/", "manage-team", READ, ADMINS),
    "accounts:invite": Route("/team/invitations/", "manage-team", FORM, ADMINS),
    "accounts:revoke_invitation": Route("/team/invitations/1/revoke/", "manage-team", WRITE, ADMINS),
    "accounts:change_role": Route(f"/team/{MEMBER_ID}/role/", "manage-team", FORM, ADMINS),
    "accounts:reset_factors": Route(f"/team/{MEMBER_ID}/second-factor/", "manage-team", FORM, ADMINS),
    "accounts:deactivate": Route(f"/team/{MEMBER_ID}/deactivate/", "manage-team", FORM, ADMINS),
    "accounts:activate_again": Route(f"/team/{MEMBER_ID}/activate-again/", "manage-team", WRITE, ADMINS),
    "accounts:member_sessions": Route(f"/team/{MEMBER_ID}/sessions/", "manage-team", READ, ADMINS),
    "accounts:end_member_sessions": Route(f"/team/{MEMBER_ID}/sessions/end/", "manage-team", WRITE, ADMINS),
    "accounts:make_password_link": Route(f"/team/{MEMBER_ID}/password/", "manage-team", WRITE, ADMINS),
    "accounts:sessions": Route("/sessions/", "manage-own-preferences", READ, MEMBERS),
    "accounts:end_sessions": Route("/sessions/end/", "manage-own-preferences", WRITE, MEMBERS),
    "accounts:stay": Route("/sessions/stay/", "manage-own-preferences", WRITE, MEMBERS),
    "accounts:change_password": Route("/password/", "manage-own-preferences", FORM, MEMBERS),
    "accounts:forgotten_password": Route("/password/forgotten/", "public", FORM, EVERYONE),
    "accounts:new_password": Route("/password/new/key/token/", "public", FORM, EVERYONE),
    "audit:list": Route("/audit/", "read-audit", READ, ADMINS),
    "audit:export": Route("/audit/export/", "read-audit", WRITE, ADMINS),
    "credentials:list": Route("/credentials/", "manage-own-credential", READ, MEMBERS),
    "credentials:edit": Route("/credentials/spo1/", "manage-own-credential", FORM, MEMBERS),
    "credentials:check": Route("/credentials/spo1/check/", "manage-own-credential", WRITE, MEMBERS),
    "credentials:remove": Route("/credentials/spo1/remove/", "manage-own-credential", WRITE, MEMBERS),
    "team_credentials:list": Route("/team/credentials/", "manage-team-credential", READ, ADMINS),
    "team_credentials:edit": Route("/team/credentials/spo1/", "manage-team-credential", FORM, ADMINS),
    "team_credentials:check": Route("/team/credentials/spo1/check/", "manage-team-credential", WRITE, ADMINS),
    "team_credentials:remove": Route("/team/credentials/spo1/remove/", "manage-team-credential", WRITE, ADMINS),
    "overview:overview": Route("/spo1/", "list-instances", READ, MEMBERS),
    "instances:list": Route("/spo1/instances/", "list-instances", READ, MEMBERS),
    "instances:filter": Route("/spo1/instances/filter/", "list-instances", READ, MEMBERS),
    "instances:suggestions": Route("/spo1/instances/suggest/", "list-instances", READ, MEMBERS),
    "instances:check_credential": Route("/spo1/instances/check-credential/", "list-instances", WRITE, MEMBERS),
    "instances:revalidate": Route("/spo1/instances/revalidate/", "list-instances", WRITE, MEMBERS),
    "instances:refresh": Route("/spo1/instances/refresh/", "force-refresh", WRITE, OPERATORS),
    "instances:change_layout": Route("/spo1/instances/layout/", "manage-own-preferences", WRITE, MEMBERS),
    "instances:export": Route("/spo1/instances/export/", "list-instances", WRITE, MEMBERS),
    "instances:export_all": Route("/spo1/instances/export-all/", "list-instances", FORM, MEMBERS),
    "instances:selected": Route("/spo1/instances/selected/", "list-instances", WRITE, MEMBERS),
    "instances:compare": Route("/spo1/instances/compare/", "open-instance", READ, MEMBERS),
    "instances:save_view": Route("/spo1/instances/save-view/", "manage-saved-views", WRITE, MEMBERS),
    "instances:detail": Route(f"/spo1/instances/{INSTANCE}/", "open-instance", READ, MEMBERS),
    "instances:raw": Route(f"/spo1/instances/{INSTANCE}.json", "read-raw-instance", READ, MEMBERS),
    "changes:list": Route("/spo1/changes/", "list-instances", READ, MEMBERS),
    "saved_views:list": Route("/spo1/views/", "manage-saved-views", READ, MEMBERS),
    "saved_views:clear_default": Route("/spo1/views/no-default/", "manage-saved-views", WRITE, MEMBERS),
    "saved_views:edit": Route("/spo1/views/1/", "manage-saved-views", FORM, MEMBERS),
    "saved_views:make_default": Route("/spo1/views/1/default/", "manage-saved-views", WRITE, MEMBERS),
    "saved_views:remove": Route("/spo1/views/1/remove/", "manage-saved-views", FORM, MEMBERS),
}
PUBLIC = {name for name, route in ROUTES.items() if route.capability == "public"}


def walk(resolver: URLResolver, namespaces: tuple[str, ...] = ()) -> Iterator[tuple[str, URLPattern]]:
    """Every view of the URL table under its full name."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern, (*namespaces, *filter(None, [pattern.namespace])))
        else:
            yield ":".join([*namespaces, str(pattern.name)]), pattern


VIEWS = dict(walk(get_resolver()))


def enter(who: str, cast: dict[str, Member]) -> Client:
    """A browser of that person. The deactivated one had signed in before."""
    client = Client()
    if who != "unsigned":
        client.force_login(cast[who])
    if who == "deactivated":
        Member.objects.filter(pk=cast[who].pk).update(is_active=False)
    return client


@pytest.fixture
def cast(ada: Member, otto: Member, vera: Member) -> dict[str, Member]:
    Member.objects.create_user("somebody", pk=MEMBER_ID)
    gone = Member.objects.create_user("gone", role="admin")
    return {"admin": ada, "operator": otto, "viewer": vera, "deactivated": gone}


def outcome(client: Client, method: str, path: str) -> str:
    response = client.generic(method, path)
    if response.status_code == 302 and response["Location"].startswith("/sign-in/?next="):
        return "to sign-in"
    if (
        response.status_code == 302
        and method != "GET"
        and response["Location"] == "/sign-in/"
        and not path.startswith("/sign-")
    ):
        return "to sign-in"
    return {403: "refused", 405: "no such method"}.get(response.status_code, "reached")


def test_the_table_has_every_route_and_no_other() -> None:
    assert set(VIEWS) == set(ROUTES)


def test_every_view_declares_the_capability_that_the_table_says() -> None:
    declared = {name: view.callback.capability for name, view in VIEWS.items()}  # type: ignore[attr-defined]
    assert declared == {name: Capability(route.capability) for name, route in ROUTES.items()}


def test_the_public_routes_alone_are_for_people_who_are_not_signed_in() -> None:
    assert {name for name, route in ROUTES.items() if "unsigned" in route.people} == PUBLIC


def reach(entered: Client, route: Route) -> dict[str, str]:
    """How far someone gets with each method. What they change by that is undone."""
    client = Client()
    client.cookies.update(entered.cookies)
    with undone():
        return {method: outcome(client, method, route.path) for method in METHODS}


def expect(who: str, route: Route) -> dict[str, str]:
    shut = "to sign-in" if who in {"unsigned", "deactivated"} else "refused"
    return {
        method: shut if who not in route.people else "reached" if method in route.methods else "no such method"
        for method in METHODS
    }


@pytest.mark.parametrize("who", PEOPLE)
def test_each_person_gets_with_each_method_exactly_as_far_as_the_table_says(cast: dict[str, Member], who: str) -> None:
    entered = enter(who, cast)
    reached = {name: reach(entered, route) for name, route in ROUTES.items()}
    assert reached == {name: expect(who, route) for name, route in ROUTES.items()}


@pytest.mark.parametrize("who", MEMBERS)
def test_every_refusal_and_nothing_else_is_on_record(cast: dict[str, Member], who: str) -> None:
    client = enter(who, cast)
    for route in ROUTES.values():
        if "sign-out" not in route.path:
            client.generic(route.methods[0], route.path)
    refused = set(Event.objects.filter(act=Action.ACCESS_REFUSED).values_list("name", "subject"))
    assert refused == {
        (cast[who].username, f"{route.methods[0]} {route.path}") for route in ROUTES.values() if who not in route.people
    }


def test_reading_writes_nothing_to_the_database(cast: dict[str, Member]) -> None:
    client = enter("admin", cast)
    with CaptureQueriesContext(connection) as queries:
        for route in ROUTES.values():
            if "GET" in route.methods:
                client.get(route.path)
    assert len(queries) > len(ROUTES)
    assert [query["sql"] for query in queries if not query["sql"].lstrip().upper().startswith("SELECT")] == []
