"""The state derived from five fields, as in docs/pages.md."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import Fault, Instance
from portal.fleet.status import FIRST_WORDS, KNOWN_STATUSES, derive_state, is_running

DOCUMENT = (Path(__file__).parents[2] / "docs" / "pages.md").read_text(encoding="utf-8")
DOCUMENTED = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOCUMENT.splitlines()
    if re.match(r"\| `[A-Z_]+` \|", line)
]
ANY_WORD = st.none() | st.text(max_size=20) | st.sampled_from([*KNOWN_STATUSES, "RUNNING", "SHUTDOWN", "rebooting"])


@pytest.mark.parametrize(("status", "word", "tone", "powers"), DOCUMENTED, ids=[line[0] for line in DOCUMENTED])
def test_the_code_does_what_the_document_says(status: str, word: str, tone: str, powers: str) -> None:
    plain = status.strip("`")
    state = derive_state(Instance(status=plain))
    assert (state.word, state.tone, state.detail) == (word, tone, "")
    assert state.is_pending == (tone == "pending")
    for power in re.findall(r"`(\w+)`", powers):
        assert derive_state(Instance(status=plain, power_state=power)) == state
    if powers != "any":
        disagreeing = derive_state(Instance(status=plain, power_state="CRASHED"))
        assert (disagreeing.word, disagreeing.tone, disagreeing.detail) == (word, "warn", "power: crashed")


def test_every_known_status_is_documented() -> None:
    assert [line[0].strip("`") for line in DOCUMENTED] == list(KNOWN_STATUSES)


def test_a_task_comes_first_with_the_status_in_small_type() -> None:
    state = derive_state(Instance(status="ACTIVE", power_state="RUNNING", task_state="rebooting"))
    assert (state.word, state.tone, state.detail, state.is_pending) == ("Rebooting", "pending", "Active", True)


def test_a_task_with_hyphens_is_the_same_task() -> None:
    assert derive_state(Instance(status="ACTIVE", task_state="powering-off")).word == "Stopping"


def test_an_unknown_task_is_shown_as_it_came() -> None:
    state = derive_state(Instance(status="ACTIVE", task_state="image_snapshot"))
    assert (state.word, state.tone) == ("image_snapshot", "pending")


def test_an_unknown_status_is_shown_as_it_came() -> None:
    state = derive_state(Instance(status="Quiescing", power_state="RUNNING"))
    assert (state.word, state.tone, state.detail) == ("Quiescing", "neutral", "power: running")


def test_case_does_not_matter() -> None:
    assert derive_state(Instance(status="active", power_state="running")) == derive_state(
        Instance(status="ACTIVE", power_state="RUNNING")
    )


def test_status_and_power_that_disagree_are_both_shown() -> None:
    state = derive_state(Instance(status="ACTIVE", power_state="SHUTDOWN"))
    assert (state.word, state.tone, state.detail) == ("Active", "warn", "power: shut down")


def test_an_unknown_power_state_is_shown_as_it_came() -> None:
    assert derive_state(Instance(status="ACTIVE", power_state="Dozing")).detail == "power: Dozing"


@pytest.mark.parametrize("power", [None, "", "NOSTATE"])
def test_a_power_state_that_says_nothing_disagrees_with_nothing(power: str | None) -> None:
    assert derive_state(Instance(status="SHUTOFF", power_state=power)).tone == "off"


@pytest.mark.parametrize(("vm_state", "word"), [("building", "Building"), ("stopped", "Stopped"), ("odd", "odd")])
def test_the_vm_state_speaks_where_there_is_no_status(vm_state: str, word: str) -> None:
    assert derive_state(Instance(vm_state=vm_state)).word == word


@pytest.mark.parametrize(
    ("status", "power", "is_up"),
    [("ACTIVE", None, True), ("active", "NOSTATE", True), ("REBOOT", "running", True), ("ACTIVE", "SHUTDOWN", False)],
)
def test_an_instance_is_up_by_its_power_state_or_else_by_its_status(
    status: str, power: str | None, *, is_up: bool
) -> None:
    assert is_running(Instance(status=status, power_state=power)) is is_up


def test_an_instance_without_any_state_says_so() -> None:
    assert derive_state(Instance()).word == "No state"


def test_a_fault_on_an_active_instance_is_not_shown() -> None:
    state = derive_state(Instance(status="ACTIVE", fault=Fault(message="No valid host was found")))
    assert (state.tone, state.fault, state.is_fault) == ("ok", "", False)


def test_a_fault_on_a_failed_instance_is_shown_by_its_first_words() -> None:
    message = "No valid host was found. " * 10
    state = derive_state(Instance(status="ERROR", fault=Fault(message=message)))
    assert state.is_fault
    assert state.fault.startswith("No valid host was found. No valid host")
    assert state.fault.endswith("…")
    assert len(state.fault) <= FIRST_WORDS + 1


def test_a_failed_instance_without_a_fault_is_an_error_all_the_same() -> None:
    state = derive_state(Instance(status="ERROR"))
    assert (state.tone, state.fault, state.is_fault) == ("error", "", True)


@given(ANY_WORD, ANY_WORD, ANY_WORD, ANY_WORD)
def test_any_words_at_all_give_a_state_with_a_word(
    status: str | None, power: str | None, task: str | None, vm: str | None
) -> None:
    state = derive_state(Instance(status=status, power_state=power, task_state=task, vm_state=vm))
    assert state.word
    assert "None" in (status, power, task, vm) or "None" not in state.word + state.detail
