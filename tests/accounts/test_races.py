"""What must hold when several people act at the same moment, on a real database file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run_race(name: str, folder: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.race", name],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_URL": f"sqlite:///{folder / 'race.sqlite3'}",
            "COVERAGE_PROCESS_START": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers_of(found: Any) -> set[int]:
    return {answer for answers in found["answers"] for answer in answers}


def test_admins_who_demote_each_other_at_once_leave_one_admin(tmp_path: Path) -> None:
    found = run_race("demote", tmp_path)
    assert found["left"] == [1] * 5
    assert answers_of(found) <= {302, 403, 422}


def test_admins_who_deactivate_each_other_at_once_leave_one_admin(tmp_path: Path) -> None:
    found = run_race("deactivate", tmp_path)
    assert found["left"] == [1] * 5
    assert answers_of(found) <= {302, 403, 422}


def test_four_who_open_one_invitation_at_once_get_one_account(tmp_path: Path) -> None:
    found = run_race("invitation", tmp_path)
    assert found["joined"] == [1] * 5
    assert found["activated"] == 5
    assert [sorted(answers) for answers in found["answers"]] == [[302, 404, 404, 404]] * 5


def test_two_who_choose_one_user_name_at_once_get_it_once(tmp_path: Path) -> None:
    found = run_race("user-name", tmp_path)
    assert found["joined"] == 1
    assert found["pending"] == 1
    assert sorted(found["answers"][0]) == [302, 422]


def test_of_two_factors_that_are_removed_at_once_one_stays_where_it_is_required(tmp_path: Path) -> None:
    found = run_race("last-factor", tmp_path)
    assert found["left"] == [1] * 5
    assert [sorted(answers) for answers in found["answers"]] == [[302, 422]] * 5


def test_one_recovery_code_that_four_send_at_once_opens_once(tmp_path: Path) -> None:
    assert run_race("recovery-code", tmp_path)["inside"] == [1] * 5


def test_one_code_of_an_app_that_four_send_at_once_opens_once(tmp_path: Path) -> None:
    inside = run_race("app-code", tmp_path)["inside"]
    # A half minute may end between a code's making and its sending; then it is right for nobody.
    assert set(inside) <= {0, 1}
    assert 1 in inside


def test_four_who_open_one_link_for_a_new_password_at_once_set_one(tmp_path: Path) -> None:
    found = run_race("password-link", tmp_path)
    assert [sorted(answers) for answers in found["answers"]] == [[302, 404, 404, 404]] * 5
    assert [sum(kept) for kept in found["kept"]] == [1] * 5
    assert found["changed"] == 5
