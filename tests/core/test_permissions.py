"""The permissions of each role, against a table that is independent of the code."""

import pytest

from portal.accounts.models import Member
from portal.core.permissions import Capability, Role, requires

MAY = {
    Capability.PUBLIC: "",
    Capability.LIST_INSTANCES: "viewer operator admin",
    Capability.OPEN_INSTANCE: "viewer operator admin",
    Capability.READ_RAW_INSTANCE: "viewer operator admin",
    Capability.MANAGE_OWN_CREDENTIAL: "viewer operator admin",
    Capability.MANAGE_OWN_PREFERENCES: "viewer operator admin",
    Capability.MANAGE_OWN_MFA: "viewer operator admin",
    Capability.MANAGE_SAVED_VIEWS: "viewer operator admin",
    Capability.FORCE_REFRESH: "operator admin",
    Capability.MANAGE_TEAM: "admin",
    Capability.MANAGE_TEAM_CREDENTIAL: "admin",
    Capability.READ_AUDIT: "admin",
}


def list_granted(member: Member) -> set[Capability]:
    return {capability for capability in Capability if member.can(capability)}


@pytest.mark.parametrize("role", Role.values)
def test_each_role_may_do_exactly_this(role: str) -> None:
    assert set(MAY) == set(Capability)
    assert list_granted(Member(role=role)) == {capability for capability, roles in MAY.items() if role in roles.split()}


def test_neither_a_deactivated_member_nor_an_unknown_role_may_do_anything() -> None:
    assert list_granted(Member(role=Role.ADMIN, is_active=False)) == set()
    assert list_granted(Member(role="owner", is_superuser=True, is_staff=True)) == set()


def test_declaring_leaves_the_view_as_it_is() -> None:
    def view() -> str:
        return "seen"

    declared = requires(Capability.READ_AUDIT)(view)
    assert declared is view
    assert declared.capability is Capability.READ_AUDIT  # type: ignore[attr-defined]
    assert declared() == "seen"
