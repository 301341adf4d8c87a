"""The values that a condition can have: those of the index, with their numbers."""

from contextlib import suppress

import msgspec
from django.conf import settings
from django.db import DatabaseError

from portal.fleet.feed import find_fleet
from portal.fleet.models import IndexedFleet
from portal.fleet.query import AGE_KEYS, METADATA, NUMBER_KEYS, Value, find_metadata_name
from portal.fleet.status import KNOWN_STATUSES
from portal.fleet.texts import fold
from portal.fleet.values import list_metadata_names, list_values
from portal.gateway import ApiSession
from portal.instances.filters import ATTENTION, describe_value

MOST_CHOICES = 50
# Keys whose values are typed, because hardly two instances have the same.
TYPED_KEYS = frozenset({"", "name", "id", "ip", *NUMBER_KEYS, *AGE_KEYS})


class FilterChoice(msgspec.Struct, frozen=True):
    """A value that can be chosen. `instances` have it; None if that is not known."""

    value: str
    label: str
    instances: int | None = None
    is_chosen: bool = False


class FilterChoices(msgspec.Struct, frozen=True):
    """`is_complete`: the numbers are of the whole fleet."""

    found: tuple[FilterChoice, ...] = ()
    is_complete: bool = True


def read_choices(session: ApiSession, key: str) -> FilterChoices:
    """The most frequent values of a key. None for keys whose values are typed; without an index for statuses only."""
    if key in TYPED_KEYS:
        return FilterChoices()
    if key == "is":
        return FilterChoices(tuple(FilterChoice(value, str(label)) for value, label in ATTENTION.items()))
    with suppress(DatabaseError):
        if fleet := open_fleet(session):
            name = find_metadata_name(key)
            counted = list_values(fleet, METADATA + fold(name) if name else key, most=MOST_CHOICES)
            found = tuple(
                FilterChoice(one.text, describe_value(key, Value(one.text)), one.instances) for one in counted
            )
            return FilterChoices(found, fleet.completed_at is not None)
    statuses = KNOWN_STATUSES if key == "status" else ()
    return FilterChoices(tuple(FilterChoice(word, describe_value(key, Value(word))) for word in statuses))


def mark_chosen(choices: FilterChoices, key: str, values: tuple[Value, ...]) -> tuple[FilterChoice, ...]:
    """The choices with those of `values` marked that can be ticked, before them those that are no choice."""
    chosen = {fold(value.text): value for value in values if can_be_ticked(key, value)}
    offered = {fold(one.value) for one in choices.found}
    others = [value for text, value in chosen.items() if text not in offered]
    return (
        *(FilterChoice(value.text, describe_value(key, value), is_chosen=True) for value in others),
        *(msgspec.structs.replace(one, is_chosen=fold(one.value) in chosen) for one in choices.found),
    )


def can_be_ticked(key: str, value: Value) -> bool:
    """Whether it is one of the choices, and not typed."""
    return key not in TYPED_KEYS and not value.any_before and not value.any_after


def read_metadata_keys(session: ApiSession) -> tuple[str, ...]:
    with suppress(DatabaseError):
        if fleet := open_fleet(session):
            return tuple(METADATA + name for name in list_metadata_names(fleet))
    return ()


def open_fleet(session: ApiSession) -> IndexedFleet | None:
    """The index as far as it has been read. No step of the walk is made."""
    return find_fleet(session) if settings.FLEET_INDEX else None
