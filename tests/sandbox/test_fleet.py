"""The default fleet contains every edge case that a table must handle."""

import unicodedata
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.sandbox.fleet import Fleet
from portal.sandbox.pattern import acme_pattern

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    fleet = Fleet("acme", acme_pattern(), 150, NOW)
    found = [fleet.find_instance(number, NOW) for number in range(150)]
    return [each for each in found if each]


def test_most_instances_are_active_and_every_kind_of_status_is_there(everything: list[dict[str, Any]]) -> None:
    statuses = Counter(each["status"] for each in everything)
    assert statuses["ACTIVE"] > 110
    assert set(statuses) >= {
        "BUILD", "ERROR", "SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED_OFFLOADED", "RESIZE", "VERIFY_RESIZE",
        "REBOOT", "MIGRATING", "RESCUE", "SOFT_DELETED", "UNKNOWN", "HIBERNATING",
    }  # fmt: skip
    assert {each["task_state"] for each in everything} >= {None, "spawning", "networking", "rebooting"}
    assert any(each["status"] == "ACTIVE" and each["power_state"] == "SHUTDOWN" for each in everything)
    assert any(each["power_state"] is None for each in everything)


def test_faults_stand_on_failed_instances_and_on_one_that_runs(everything: list[dict[str, Any]]) -> None:
    faulty = [each for each in everything if each["fault"]]
    assert {each["status"] for each in faulty} == {"ACTIVE", "ERROR"}
    assert all(set(each["fault"]) == {"code", "message", "details", "created"} for each in faulty)
    assert all(each["fault"] for each in everything if each["status"] == "ERROR")


@pytest.mark.parametrize("field", ["flavor", "image", "addresses", "tags", "metadata", "key_names", "security_groups"])
def test_some_instance_lacks_it(everything: list[dict[str, Any]], field: str) -> None:
    assert 1 <= sum(not each[field] for each in everything) < 60


@pytest.mark.parametrize("text", ["*", ",", "<b>", '"', "'", "&", "=HYPERLINK", "\u202e", "🚀"])
def test_some_name_holds_it(everything: list[dict[str, Any]], text: str) -> None:
    assert any(text in each["name"] for each in everything)


def test_names_come_in_several_scripts_and_up_to_255_characters(everything: list[dict[str, Any]]) -> None:
    scripts = {unicodedata.name(sign, "?").split()[0] for each in everything for sign in each["name"]}
    assert scripts >= {"LATIN", "CYRILLIC", "CJK", "HEBREW", "ARABIC"}
    assert max(len(each["name"]) for each in everything) == 255
    assert max(len(each["description"] or "") for each in everything) > 4000


def test_networks_are_several_with_both_versions_of_address(everything: list[dict[str, Any]]) -> None:
    assert max(len(each["addresses"]) for each in everything) == 7
    rows = [row for each in everything for network in each["addresses"].values() for row in network]
    assert {row["version"] for row in rows} == {4, 6}
    assert {row["type"] for row in rows} == {"fixed", "floating"}
    assert all(row["mac_addr"].startswith("fa:16:3e:") for row in rows)
    addresses = [row["addr"] for row in rows]
    assert len(addresses) == len(set(addresses))


def test_an_instance_that_never_ran_has_no_address_and_no_launch(everything: list[dict[str, Any]]) -> None:
    building = [each for each in everything if each["status"] == "BUILD"]
    assert building
    assert all(not each["addresses"] and each["launched_at"] is None for each in building)


def test_no_time_lies_in_the_future_or_before_creation(everything: list[dict[str, Any]]) -> None:
    for each in everything:
        times = [each[name] for name in ("created_at", "launched_at", "updated_at", "terminated_at") if each[name]]
        assert times[0] <= min(times)
        assert max(times) <= "2026-11-23T12:00:00Z"
        assert all(time.endswith("Z") for time in times)


def test_two_instances_share_a_name(everything: list[dict[str, Any]]) -> None:
    assert Counter(each["name"] for each in everything)["canary"] == 2
