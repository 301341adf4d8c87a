"""What somebody may want to type next in the search box: keys, values and instances of one fleet."""

from collections.abc import Iterator

import msgspec

from portal.fleet.models import IndexedFleet
from portal.fleet.query import (
    KEYS,
    METADATA,
    Condition,
    QueryError,
    Typed,
    Value,
    find_metadata_name,
    find_typed,
    parse,
    write,
    write_value,
)
from portal.fleet.texts import fold
from portal.fleet.values import CountedValue, find_instances, find_values, list_metadata_names, list_values

MOST_SUGGESTED = 10
MOST_KEYS = 3
MOST_INSTANCES = 5


class Suggestion(msgspec.Struct, frozen=True):
    """`shown` stands in the list. `text` is the whole new text of the box, and `at` where the caret goes then.

    A value has a number of `instances`. An instance has its `instance_id`, and no text: its page is opened.
    """

    shown: str
    text: str = ""
    at: int = 0
    instances: int | None = None
    instance_id: str = ""


def suggest(fleet: IndexedFleet, text: str, at: int) -> tuple[Suggestion, ...]:
    """At most `MOST_SUGGESTED`, for the word or value at `at`, the place of the caret."""
    typed = find_typed(text, min(max(at, 0), len(text)))
    if typed.key:
        found = list(_suggest_values(text, typed, _list_values(fleet, typed)))
        return tuple(found)
    keys = list(_suggest_keys(fleet, text, typed))
    if not typed.text:
        return tuple(keys[:MOST_SUGGESTED])
    keys = keys[:MOST_KEYS]
    instances = find_instances(fleet, typed.text, most=MOST_INSTANCES)
    room = MOST_SUGGESTED - len(keys) - len(instances)
    values = _suggest_values(text, typed, find_values(fleet, typed.text, most=room))
    named = [Suggestion(one.name or "", instance_id=one.id or "") for one in instances]
    return (*keys, *values, *named)


def _list_values(fleet: IndexedFleet, typed: Typed) -> tuple[CountedValue, ...]:
    if typed.key == "name":
        names = [one.name or "" for one in find_instances(fleet, typed.text, most=MOST_SUGGESTED)]
        return tuple(CountedValue("name", name, 0) for name in dict.fromkeys(names))
    name = find_metadata_name(typed.key)
    key = METADATA + fold(name) if name else typed.key
    return list_values(fleet, key, typed.text, most=MOST_SUGGESTED)


def _suggest_keys(fleet: IndexedFleet, text: str, typed: Typed) -> Iterator[Suggestion]:
    """Those that begin with the word, and then those that contain it."""
    part = fold(typed.text)
    named = (f"{METADATA}{name}" for name in list_metadata_names(fleet))
    keys = [key for key in (*KEYS, *named) if part in key]
    for key in sorted(keys, key=lambda each: not each.startswith(part)):
        written = write([Condition(key, ())])
        before = f"{text[: typed.start]}{written}"
        yield Suggestion(written, before + text[typed.end :], len(before))


def _suggest_values(text: str, typed: Typed, values: tuple[CountedValue, ...]) -> Iterator[Suggestion]:
    for one in values:
        written = write_value(Value(one.text)) if typed.key else one.query
        try:
            # With a space, so that the next condition can be typed.
            whole = write(parse(text[: typed.start] + written + text[typed.end :])) + " "
        except QueryError:
            continue
        shown = one.text if typed.key else written
        yield Suggestion(shown, whole, len(whole), one.instances or None)
