"""The conditions of a list: those that ByCloud's own parameters hold, and those of its query. And the lists that a
changed condition makes of it.

A condition becomes a parameter of ByCloud's where one can hold it, so that the list stays live; otherwise it becomes a
part of `q`, which the index answers.
"""

from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from portal.bycloud import Instance, Region
from portal.fleet.matching import is_word_of_other_status
from portal.fleet.query import Condition, Value, find_metadata_name, parse, write, write_value
from portal.fleet.status import KNOWN_STATUSES, derive_state
from portal.fleet.texts import fold
from portal.fleet.values import KnownValues, NamedRef
from portal.instances.fields import read_id_or_name, read_status
from portal.instances.forms import find_name
from portal.instances.links import (
    LONGEST_NAME,
    LONGEST_STATUS,
    ListView,
    can_add_tag,
    filter_url,
    find_forbidden_character,
    list_url,
)

LABELS: dict[str, Promise] = {
    "name": gettext_lazy("Name"),
    "status": gettext_lazy("Status"),
    "tag": gettext_lazy("Tag"),
    "flavor": gettext_lazy("Flavor"),
    "image": gettext_lazy("Image"),
    "ip": gettext_lazy("IP address"),
    "network": gettext_lazy("Network"),
    "group": gettext_lazy("Security group"),
    "key": pgettext_lazy("of an instance", "Key"),
    "power": gettext_lazy("Power state"),
    "task": gettext_lazy("Task state"),
    "vcpus": gettext_lazy("vCPU"),
    "ram": gettext_lazy("RAM"),
    "disk": gettext_lazy("Disk"),
    "created": gettext_lazy("Created"),
    "updated": gettext_lazy("Updated"),
    "launched": gettext_lazy("Launched"),
    "is": gettext_lazy("Needs attention"),
    "missing": gettext_lazy("No longer listed"),
    "id": gettext_lazy("ID"),
    "": gettext_lazy("Search"),
}
# What ByCloud can filter by.
LIVE_KEYS = ("name", "status", "tag", "flavor", "image")
# The keys that can be chosen, in the order of the menu. Keys of metadata follow.
KEYS = tuple(key for key in LABELS if key)
# The values of the key `is`. The overview counts the same.
ATTENTION = {
    "stuck": gettext_lazy("In transition for over an hour"),
    "warning": gettext_lazy("Rescue, resize or power mismatch"),
}
MOST_SHOWN = 3


class Part(NamedTuple):
    """A condition of a list. `parameter` is ByCloud's that holds it; empty if it is the one at `place` in the query."""

    condition: Condition
    parameter: str
    place: int = 0


class ActiveFilter(msgspec.Struct, frozen=True):
    """A condition as it is shown, the list without it (`url`), and the form that changes it."""

    label: str
    value: str
    url: str
    change_url: str
    is_excluded: bool = False


def list_parts(view: ListView, known: KnownValues) -> tuple[Part, ...]:
    """All conditions. Flavors and images have their names, as far as they are known."""
    query, name = view.query, view.query.name or ""
    own = [
        ("name", Value(name.removesuffix("*"), any_after=name.endswith("*")), "name"),
        ("status", Value(query.status or ""), "status"),
        *(("tag", Value(tag), "tags") for tag in query.tags),
        ("flavor", Value(_find_name(known.flavors, query.flavor_id)), "flavor_id"),
        ("image", Value(_find_name(known.images, query.image_id)), "image_id"),
    ]
    return (
        *(Part(Condition(key, (value,)), parameter) for key, value, parameter in own if value.text or value.any_after),
        *(Part(condition, "", place) for place, condition in enumerate(parse(view.q))),
    )


def build_active_filters(view: ListView, *, region: Region, known: KnownValues) -> tuple[ActiveFilter, ...]:
    return tuple(
        ActiveFilter(
            label=describe_key(part.condition.key, is_excluded=part.condition.is_excluded),
            value=_describe_values(part.condition),
            url=list_url(region, view, **_without(view, part)),
            change_url=filter_url(region, view, part=number),
            is_excluded=part.condition.is_excluded,
        )
        for number, part in enumerate(list_parts(view, known))
    )


def list_keys() -> tuple[tuple[str, str], ...]:
    """The keys that a condition can be added for, without those of metadata, as pairs of key and label."""
    return tuple((key, str(LABELS[key])) for key in (KEYS if settings.FLEET_INDEX else LIVE_KEYS))


def describe_key(key: str, *, is_excluded: bool = False) -> str:
    """In words; a key of metadata as queries write it."""
    if not key and is_excluded:
        return _("Search without")
    label = write([Condition(key, ())]).removesuffix(":") if find_metadata_name(key) else str(LABELS[key])
    return _("%(label)s is not") % {"label": label} if is_excluded else label


def describe_value(key: str, value: Value) -> str:
    """A status in words, and anything else as it was given."""
    if not key:
        return write_value(value)
    if value.any_before or value.any_after:
        return f"{'*' if value.any_before else ''}{value.text}{'*' if value.any_after else ''}"
    if key == "status" and value.text.upper() in KNOWN_STATUSES:
        return derive_state(Instance(status=value.text)).word
    return str(ATTENTION.get(value.text.lower(), value.text)) if key == "is" else value.text


def replace_condition(view: ListView, new: Condition, *, old: Part | None, known: KnownValues) -> ListView:
    """The list with a new condition in place of the old one, if there is one. Without values, the condition is left
    out.
    """
    base = view.change(**_without(view, old)) if old else view
    if not new.values:
        return base
    if own := _find_parameters(base, new, known):
        return base.change(**own)
    conditions = list(parse(base.q))
    place = old.place if old and not old.parameter else len(conditions)
    return base.change(q=write(dict.fromkeys([*conditions[:place], new, *conditions[place:]])))


def _describe_values(condition: Condition) -> str:
    """The first few, and how many more there are. A key without any is incomplete."""
    shown = [describe_value(condition.key, value) for value in condition.values[:MOST_SHOWN]]
    more = len(condition.values) - len(shown)
    return ", ".join([*shown, f"+{more}"] if more else shown) or "?"


def _find_name(named: tuple[NamedRef, ...], wanted_id: str | None) -> str:
    return (find_name(named, wanted_id) or wanted_id) if wanted_id else ""


def _without(view: ListView, part: Part) -> dict[str, Any]:
    """The changes that take a condition away."""
    if not part.parameter:
        conditions = parse(view.q)
        return {"q": write([*conditions[: part.place], *conditions[part.place + 1 :]])}
    if part.parameter == "tags":
        text = part.condition.values[0].text
        return {"tags": tuple(tag for tag in view.query.tags if tag != text)}
    return {part.parameter: None}


def _find_parameters(view: ListView, new: Condition, known: KnownValues) -> dict[str, Any]:
    """The parameters of ByCloud's that hold the condition; empty if none can."""
    (value, *others) = new.values
    text, query = value.text, view.query
    found: dict[str, Any] = {}
    is_several = new.is_excluded or others or value.any_before or (value.any_after and new.key != "name")
    if is_several or text != text.strip() or find_forbidden_character(text):
        return {}
    match new.key:
        case "name" if not query.name and len(text) < LONGEST_NAME and not text.endswith("*"):
            found = {"name": f"{text}{'*' if value.any_after else ''}"}
        case "status" if not query.status and len(text) <= LONGEST_STATUS:
            # A word that stands for another status is for the index, unless it is ByCloud's own as it writes it.
            is_raw = text in KNOWN_STATUSES or not is_word_of_other_status(text)
            found = {"status": read_status(text)} if is_raw else {}
        case "tag" if can_add_tag(view, text):
            found = {"tags": tuple(dict.fromkeys((*query.tags, text)))}
        case "flavor" if not query.flavor_id:
            found = _find_id("flavor_id", known.flavors, text)
        case "image" if not query.image_id:
            found = _find_id("image_id", known.images, text)
    return found


def _find_id(parameter: str, named: tuple[NamedRef, ...], text: str) -> dict[str, Any]:
    if len({one.id for one in named if fold(one.name) == fold(text)}) > 1:
        # The index counts names without regard to case.
        return {}
    try:
        return {parameter: read_id_or_name(named, text)}
    except ValueError:
        # Not known, or the name of several: the index finds it by its name.
        return {}
