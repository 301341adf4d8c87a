"""Changes to an instance: the state it takes at once, and the one it settles in some seconds later."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal.sandbox import catalog
from portal.sandbox.addresses import addresses
from portal.sandbox.catalog import FLAVORS, IMAGES, State
from portal.sandbox.filters import Json
from portal.sandbox.fleet import REGION, Changed, Fleet, written

LONGEST_SETTLE_SECONDS = 3600.0


class ChangeError(ValueError):
    """An invalid change; the message says why."""


@dataclass(frozen=True)
class _Step:
    """A state transition: `during` for a while, then `after` (None: the instance is deleted)."""

    during: State
    after: State | None


_STEPS = {
    "reboot": _Step(catalog.REBOOTING, catalog.ACTIVE),
    "stop": _Step(catalog.STOPPING, catalog.STOPPED),
    "start": _Step(catalog.STARTING, catalog.ACTIVE),
    "pause": _Step(catalog.PAUSING, catalog.PAUSED),
    "unpause": _Step(catalog.UNPAUSING, catalog.ACTIVE),
    "suspend": _Step(catalog.SUSPENDING, catalog.SUSPENDED),
    "resume": _Step(catalog.RESUMING, catalog.ACTIVE),
    "resize": _Step(catalog.RESIZING, catalog.RESIZED),
    "delete": _Step(catalog.DELETING, None),
}
ACTIONS = (*_STEPS, "rename", "set", "create")


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
    if action == "create":
        return create_instance(fleet, {**asked, "like": current}, settle_seconds=settle_seconds)
    if action in _STEPS:
        step = _STEPS[action]
        during = {**current, **step.during.fields(), "updated_at": written(now)}
        after = None if step.after is None else {**current, **step.after.fields(), "updated_at": written(settles_at)}
    elif action == "rename":
        during = after = {**current, "name": _read_name(asked), "updated_at": written(now)}
    elif action == "set":
        during = after = {**current, **_read_fields(asked, current), "updated_at": written(now)}
    else:
        raise ChangeError(f"action is none of {', '.join(ACTIONS)}")
    fleet.changed[number] = Changed(during=during, after=after, settles_at=settles_at)
    return fleet.find_instance(number, now) or during


def create_instance(fleet: Fleet, asked: Json, *, settle_seconds: float) -> Json:
    """Create an instance, the newest of its fleet: building at first, then active. Raises `ChangeError`."""
    now = datetime.now(UTC)
    settles_at = now + timedelta(seconds=read_seconds(asked, settle_seconds))
    number = fleet.end
    identifier = fleet.identities.id_of(number)
    like: Json = (
        copy.deepcopy(asked["like"])
        if "like" in asked
        else {
            "description": None,
            "flavor": FLAVORS["m1.small"],
            "image": IMAGES["Debian 13"],
            "security_groups": [{"name": "default"}],
            "key_names": [],
            "metadata": {},
            "tags": [],
        }
    )
    name = _read_name(asked) if "name" in asked else f"new-{fleet.created + 1:02d}"
    during = {
        "id": identifier,
        "crn": f"crn:{REGION}:compute:instance:{identifier}",
        "name": name,
        "description": like["description"],
        **catalog.BUILDING.fields(),
        "flavor": like["flavor"],
        "image": like["image"],
        "addresses": {},
        "security_groups": like["security_groups"],
        "volumes_attached": [],
        "key_names": like["key_names"],
        "metadata": like["metadata"],
        "tags": like["tags"],
        "fault": None,
        "created_at": written(now),
        "updated_at": None,
        "launched_at": None,
        "terminated_at": None,
    }
    during |= _read_fields(asked, during) if "fields" in asked else {}
    after = {
        **during,
        **catalog.ACTIVE.fields(),
        "addresses": addresses(("private",), number),
        "updated_at": written(settles_at),
        "launched_at": written(settles_at),
    }
    after |= _read_fields(asked, during) if "fields" in asked else {}
    fleet.created += 1
    fleet.changed[number] = Changed(during=during, after=after, settles_at=settles_at)
    return during if settles_at > now else after


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
