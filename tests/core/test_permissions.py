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


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("capability", Capability)
def test_each_role_may_do_exactly_this(role: str, capability: Capability) -> None:
    assert Member(role=role).can(capability) is (role in MAY[capability].split())


@pytest.mark.parametrize("capability", Capability)
def test_a_deactivated_member_may_do_nothing(capability: Capability) -> None:
    assert not Member(role=Role.ADMIN, is_active=False).can(capability)


@pytest.mark.parametrize("capability", Capability)
def test_an_unknown_role_may_do_nothing(capability: Capability) -> None:
    assert not Member(role="owner", is_superuser=True, is_staff=True).can(capability)


def test_declaring_leaves_the_view_as_it_is() -> None:
    def view() -> str:
        return "seen"

    declared = requires(Capability.READ_AUDIT)(view)
    assert declared is view
    assert declared.capability is Capability.READ_AUDIT  # type: ignore[attr-defined]
    assert declared() == "seen"
