"""Race conditions between members, on PostgreSQL, where each has a connection."""

import pytest

# The very same tests, on the database below.
from tests.accounts.test_races import (  # noqa: F401
    test_admins_who_deactivate_each_other_at_once_leave_one_admin,
    test_admins_who_demote_each_other_at_once_leave_one_admin,
    test_four_who_open_one_invitation_at_once_get_one_account,
    test_four_who_open_one_link_for_a_new_password_at_once_set_one,
    test_two_who_choose_one_user_name_at_once_get_it_once,
)
from tests.services.servers import PostgreSQL

pytestmark = pytest.mark.slow


@pytest.fixture
def database(postgresql: PostgreSQL) -> str:
    return postgresql.make_database()
