"""Race conditions between members, on PostgreSQL, where each has a connection."""

import os
import subprocess
import sys

import pytest

# The very same tests, on the databases below.
from tests.accounts.test_races import (  # noqa: F401
    RACES,
    ROOT,
    results,
    test_admins_who_deactivate_each_other_at_once_leave_one_admin,
    test_admins_who_demote_each_other_at_once_leave_one_admin,
    test_four_who_open_one_invitation_at_once_get_one_account,
    test_four_who_open_one_link_for_a_new_password_at_once_set_one,
    test_of_two_factors_that_are_removed_at_once_one_stays_where_it_is_required,
    test_one_code_of_an_app_that_four_send_at_once_opens_once,
    test_one_recovery_code_that_four_send_at_once_opens_once,
    test_two_who_choose_one_user_name_at_once_get_it_once,
)
from tests.services.servers import PostgreSQL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def databases(postgresql: PostgreSQL) -> list[str]:
    return [postgresql.make_database() for _ in RACES]


def test_requests_that_need_the_same_rows_take_them_in_the_same_order(postgresql: PostgreSQL) -> None:
    """Otherwise each would wait for the other, until PostgreSQL ends one of them."""
    url = postgresql.make_database()
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.lock_orders", url],
        cwd=ROOT,
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_DATABASE_URL": url, "COVERAGE_PROCESS_START": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
