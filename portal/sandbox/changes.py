"""Changes to an instance: the state it takes at once, and the one it settles in some seconds later."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal.sandbox import catalog
from portal.sandbox.catalog import InstanceState
from portal.sandbox.filters import Json
from portal.sandbox.fleet import Fleet, Transition, format_time

LONGEST_SETTLE_SECONDS = 3600.0


class ChangeError(ValueError):
    """An invalid change; the message says why."""


@dataclass(frozen=True)
class _Step:
    """A state transition: `during` for a while, then `after` (None: the instance is deleted)."""

    during: InstanceState
    after: InstanceState | None


_STEPS = {
    "reboot": _Step(catalog.REBOOTING, catalog.ACTIVE),
    "stop": _Step(catalog.STOPPING, catalog.STOPPED),
    "delete": _Step(catalog.DELETING, None),
}
ACTIONS = (*_STEPS, "rename", "set")


def change_instance(fleet: Fleet, number: int, asked: Json, *, settle_seconds: float) -> Json | None:
    """Apply `asked["action"]`, and return the instance as it is now (or as it was, if it is deleted at once).

    None if it did not exist any more. Raises `ChangeError`.
    """
    now = datetime.now(UTC)
    current = fleet.find_instance(number, now)
    if current is None:
        return None
    action = asked.get("action")
    seconds = read_seconds(asked, settle_seconds)
    settles_at = now + timedelta(seconds=seconds)
    if action in _STEPS:
        step = _STEPS[action]
        during = {**current, **step.during.fields(), "updated_at": format_time(now)}
        after = (
            None if step.after is None else {**current, **step.after.fields(), "updated_at": format_time(settles_at)}
        )
    elif action == "rename":
        during = after = {**current, "name": _read_name(asked), "updated_at": format_time(now)}
    elif action == "set":
        during = after = {**current, **_read_fields(asked, current), "updated_at": format_time(now)}
    else:
        raise ChangeError(f"action is none of {', '.join(ACTIONS)}")
    fleet.changed[number] = Transition(during=during, after=after, settles_at=settles_at)
    return fleet.find_instance(number, now) or during


def read_seconds(asked: Json, default: float) -> float:
    seconds = asked.get("seconds", default)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= LONGEST_SETTLE_SECONDS:
        raise ChangeError(f"seconds is a number from 0 to {LONGEST_SETTLE_SECONDS:.0f}")
    return float(seconds)


def _read_name(asked: Json) -> str:
    name = asked.get("name")
    if not isinstance(name, str) or not name:
        raise ChangeError("name is missing")
    return name


def _read_fields(asked: Json, instance: Json) -> Json:
    fields = asked.get("fields")
    if not isinstance(fields, dict) or not set(fields) <= set(instance) - {"id"}:
        raise ChangeError("fields is an object whose keys are fields of an instance other than id")
    return fields
