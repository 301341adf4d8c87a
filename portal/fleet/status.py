"""Derives one state from an instance's `status`, `power_state`, `task_state`, `vm_state` and `fault`.

The mapping is documented in docs/pages.md ("State"); a test keeps both in sync. Values are open sets: an unknown one is
shown as it is, in a neutral colour, and is never an error. Case is ignored.
"""

from typing import Literal

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.bycloud import Instance, PartialInstance, list_unreadable

Tone = Literal["ok", "pending", "off", "error", "warn", "neutral"]
FIRST_WORDS = 60


class State(msgspec.Struct, frozen=True):
    """What is shown: a label with its style, a secondary text, and the beginning of the fault message if there is one.

    `is_fault`: the status means that something failed, so the fault is shown. `is_pending`: it will change by itself.
    """

    word: str
    tone: Tone
    detail: str = ""
    fault: str = ""
    is_fault: bool = False
    is_pending: bool = False


class _StatusStyle(msgspec.Struct, frozen=True):
    """The style of a known status, and the power states that are consistent with it (none given: any)."""

    word: Promise
    tone: Tone
    powers: frozenset[str] = frozenset()


_ON = frozenset({"RUNNING"})
_OFF = frozenset({"SHUTDOWN"})
_STATUSES = {
    "ACTIVE": _StatusStyle(gettext_lazy("Active"), "ok", _ON),
    "BUILD": _StatusStyle(gettext_lazy("Building"), "pending"),
    "REBUILD": _StatusStyle(gettext_lazy("Rebuilding"), "pending"),
    "REBOOT": _StatusStyle(gettext_lazy("Rebooting"), "pending"),
    "HARD_REBOOT": _StatusStyle(gettext_lazy("Rebooting (hard)"), "pending"),
    "RESIZE": _StatusStyle(gettext_lazy("Resizing"), "pending"),
    "REVERT_RESIZE": _StatusStyle(gettext_lazy("Reverting resize"), "pending"),
    "MIGRATING": _StatusStyle(gettext_lazy("Migrating"), "pending"),
    "PASSWORD": _StatusStyle(gettext_lazy("Changing password"), "pending"),
    "VERIFY_RESIZE": _StatusStyle(gettext_lazy("Awaiting resize confirmation"), "warn"),
    "RESCUE": _StatusStyle(gettext_lazy("Rescue mode"), "warn"),
    "SHUTOFF": _StatusStyle(gettext_lazy("Stopped"), "off", _OFF),
    "STOPPED": _StatusStyle(gettext_lazy("Stopped"), "off", _OFF),
    "PAUSED": _StatusStyle(gettext_lazy("Paused"), "off", frozenset({"PAUSED"})),
    "SUSPENDED": _StatusStyle(gettext_lazy("Suspended"), "off", _OFF | {"SUSPENDED"}),
    "SHELVED": _StatusStyle(gettext_lazy("Shelved"), "off", _OFF),
    "SHELVED_OFFLOADED": _StatusStyle(gettext_lazy("Shelved (offloaded)"), "off", _OFF),
    "SOFT_DELETED": _StatusStyle(gettext_lazy("Soft-deleted"), "off"),
    "DELETED": _StatusStyle(gettext_lazy("Deleted"), "off"),
    "ERROR": _StatusStyle(gettext_lazy("Error"), "error"),
    "UNKNOWN": _StatusStyle(gettext_lazy("Unknown"), "neutral"),
}
KNOWN_STATUSES = tuple(_STATUSES)

_POWERS = {
    "RUNNING": gettext_lazy("running"),
    "PAUSED": gettext_lazy("paused"),
    "SHUTDOWN": gettext_lazy("shut down"),
    "CRASHED": gettext_lazy("crashed"),
    "SUSPENDED": gettext_lazy("suspended"),
}
_SILENT_POWERS = frozenset({"", "NOSTATE"})

_TASKS = {
    "SCHEDULING": gettext_lazy("Scheduling"),
    "NETWORKING": gettext_lazy("Setting up networking"),
    "BLOCK_DEVICE_MAPPING": gettext_lazy("Attaching volumes"),
    "SPAWNING": gettext_lazy("Spawning"),
    "REBOOTING": gettext_lazy("Rebooting"),
    "REBOOTING_HARD": gettext_lazy("Rebooting (hard)"),
    "POWERING_OFF": gettext_lazy("Stopping"),
    "POWERING_ON": gettext_lazy("Starting"),
    "RESIZE_PREP": gettext_lazy("Preparing resize"),
    "DELETING": gettext_lazy("Deleting"),
}

_VM_STATES = {"BUILDING": "BUILD", "RESCUED": "RESCUE", "RESIZED": "VERIFY_RESIZE", "SOFT_DELETE": "SOFT_DELETED"}


def derive_state(instance: Instance) -> State:
    """The state to show for an instance. `vm_state` is used only if there is no `status`."""
    if isinstance(instance, PartialInstance) and "status" in list_unreadable(instance):
        # Using another field instead would be a guess.
        return State(_("Unreadable"), "neutral")
    raw_status = instance.status or instance.vm_state or ""
    status = _normal(instance.status)
    if not status:
        vm_state = _normal(instance.vm_state)
        status = _VM_STATES.get(vm_state, vm_state)
    look = _STATUSES.get(status)
    status_word = str(look.word) if look else _shorten(raw_status)
    is_fault = status == "ERROR"
    fault = _shorten(instance.fault.message or "") if is_fault and instance.fault else ""
    task = _normal(instance.task_state) if instance.task_state else ""
    if task:
        word = str(_TASKS[task]) if task in _TASKS else _shorten(instance.task_state or "")
        detail = status_word if status_word.casefold() != word.casefold() else ""
        return State(word, "pending", detail=detail, fault=fault, is_fault=is_fault, is_pending=True)
    power = _normal(instance.power_state)
    is_odd = power not in _SILENT_POWERS and (look is None or (look.powers and power not in look.powers))
    detail = ""
    if is_odd:
        detail = _("power: %(power)s") % {"power": _POWERS.get(power) or _shorten(instance.power_state or "")}
    if look is None:
        return State(status_word or _("No state"), "neutral", detail=detail)
    if detail:
        return State(status_word, "warn", detail=detail)
    return State(status_word, look.tone, fault=fault, is_fault=is_fault, is_pending=look.tone == "pending")


def is_running(instance: Instance) -> bool:
    """Whether it is up, by its power state or, without one, by its status."""
    power = _normal(instance.power_state)
    return _normal(instance.status) == "ACTIVE" if power in _SILENT_POWERS else power == "RUNNING"


def _normal(word: str | None) -> str:
    return word.strip().upper().replace("-", "_").replace(" ", "_") if word else ""


def _shorten(text: str) -> str:
    """The beginning of a text on one line, cut between words if possible."""
    line = " ".join(text.split())
    return line if len(line) <= FIRST_WORDS else line[:FIRST_WORDS].rsplit(" ", 1)[0] + "…"
