"""Instances changed over HTTP: in transition at once, settled some seconds later."""

import time
from typing import Any

import pytest

from tests.sandbox.conftest import Api


def settled(api: Api, identifier: str) -> dict[str, Any]:
    """The instance once no task runs on it."""
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        instance: dict[str, Any] = api.control("GET", f"instances/{identifier}").json()
        if instance["task_state"] is None:
            return instance
        time.sleep(0.02)
    raise AssertionError("It never settled")


@pytest.fixture
def web(api: Api) -> dict[str, Any]:
    instance: dict[str, Any] = api.page("name=web-01")["instances"][0]
    return instance


@pytest.mark.parametrize(
    ("action", "during", "after"),
    [
        ("reboot", ("REBOOT", "rebooting"), ("ACTIVE", "RUNNING")),
        ("stop", ("ACTIVE", "powering-off"), ("SHUTOFF", "SHUTDOWN")),
    ],
)
def test_an_action_shows_its_task_and_then_settles(
    api: Api, web: dict[str, Any], action: str, during: tuple[str, str], after: tuple[str, str]
) -> None:
    changed = api.change(web["id"], action=action)
    assert (changed["status"], changed["task_state"]) == during
    assert api.page("name=web-01")["instances"] == [changed]
    then = api.change(web["id"], action=action, seconds=0)
    assert (then["status"], then["power_state"], then["task_state"]) == (*after, None)
    assert then["updated_at"] > web["updated_at"]


def test_a_changed_instance_settles_by_itself_after_its_seconds(api: Api, web: dict[str, Any]) -> None:
    assert api.change(web["id"], action="stop", seconds=0.5)["task_state"] == "powering-off"
    assert settled(api, web["id"])["status"] == "SHUTOFF"
    assert api.page("name=web-01&status=shutoff")["meta"]["total"] == 1


def test_a_change_moves_an_instance_from_one_filter_to_another(api: Api, web: dict[str, Any]) -> None:
    before = api.page("status=SHUTOFF")["meta"]["total"], api.page("status=ACTIVE")["meta"]["total"]
    api.change(web["id"], action="stop", seconds=0)
    assert (api.page("status=SHUTOFF")["meta"]["total"], api.page("status=ACTIVE")["meta"]["total"]) == (
        before[0] + 1,
        before[1] - 1,
    )


def test_a_deleted_instance_is_deleting_first_and_gone_then(api: Api, web: dict[str, Any]) -> None:
    assert api.change(web["id"], action="delete")["task_state"] == "deleting"
    assert api.page()["meta"]["total"] == 150
    api.change(web["id"], action="delete", seconds=0)
    assert api.names("name=web-01") == []
    assert api.page()["meta"]["total"] == 149
    assert api.control("GET", f"instances/{web['id']}").status_code == 404
    assert api.control("POST", f"instances/{web['id']}", action="reboot").status_code == 404


def test_a_marker_whose_instance_is_gone_goes_on_from_where_it_stood(api: Api) -> None:
    first = api.page("limit=5")
    second = api.page(f"limit=5&marker={first['meta']['marker']}")
    api.control("POST", f"instances/{first['meta']['marker']}", action="delete", seconds=0)
    again = api.page(f"limit=5&marker={first['meta']['marker']}")
    assert again["instances"] == second["instances"]
    assert again["meta"]["total"] == 149


def test_a_renamed_instance_is_found_under_its_new_name_alone(api: Api, web: dict[str, Any]) -> None:
    api.change(web["id"], action="rename", name="shop*front")
    assert api.names("name=web-01") == []
    assert [each["id"] for each in api.page("name=shop*front")["instances"]] == [web["id"]]


def test_any_field_can_be_set_to_anything_and_the_list_bears_it(api: Api, web: dict[str, Any]) -> None:
    odd = {"name": None, "status": 7, "tags": ["x", 1], "flavor": "m1", "image": [], "metadata": None}
    changed = api.change(web["id"], action="set", fields=odd)
    assert changed == web | odd | {"updated_at": changed["updated_at"]}
    assert api.page("status=7")["instances"] == [changed]
    assert changed in api.every()
    flavor = web["flavor"]["id"]
    assert api.get(f"name=x&tags=x&flavor_id={flavor}&image_id={flavor}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "explode"},
        {"action": "rename"},
        {"action": "rename", "name": ""},
        {"action": "set"},
        {"action": "set", "fields": {"id": "x"}},
        {"action": "set", "fields": {"no_such_field": 1}},
        {"action": "reboot", "seconds": -1},
        {"action": "reboot", "seconds": "soon"},
        {"action": "reboot", "seconds": True},
    ],
)
def test_a_change_that_cannot_be_understood_changes_nothing(
    api: Api, web: dict[str, Any], body: dict[str, Any]
) -> None:
    answer = api.control("POST", f"instances/{web['id']}", **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
    assert api.page("name=web-01")["instances"] == [web]


def test_reset_brings_back_the_fleet_as_it_was_at_the_start(api: Api, web: dict[str, Any]) -> None:
    before = api.every()
    api.change(web["id"], action="delete", seconds=0)
    assert api.every() != before
    api.control("POST", "reset")
    assert api.every() == before
