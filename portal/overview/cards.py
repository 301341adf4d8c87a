"""The cards of the overview: each figure with the address of the list that proves it."""

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.bycloud import Instance, Region
from portal.core.filters import gigabytes, mebibytes, shorten
from portal.core.numbers import number_text
from portal.fleet.change_words import describe_difference, name_instance
from portal.fleet.counts import Breakdown
from portal.fleet.query import LONGEST_TEXT, METADATA
from portal.fleet.search import Totals
from portal.fleet.status import Tone, derive_state
from portal.instances.filters import ATTENTION
from portal.instances.forms import LONGEST_QUERY
from portal.instances.links import ListView, find_forbidden_character, list_url, named_instance_url
from portal.instances.rows import SHORT_ID
from portal.overview.services import NEWEST_ORDER, TROUBLES, Figures

# The longest bar, and all parts of a stack together.
WIDTH = 1000
TITLES = {
    "status": gettext_lazy("State"),
    "flavor": gettext_lazy("Flavors"),
    "image": gettext_lazy("Images"),
    "tag": gettext_lazy("Tags"),
    "network": gettext_lazy("Networks"),
}
# The list that the newest are from.
NEWEST_VIEW = ListView(sort=NEWEST_ORDER)
# Of those that have no value.
WITHOUT = {
    "status": gettext_lazy("No state"),
    "flavor": gettext_lazy("No flavor"),
    "image": gettext_lazy("No image"),
}
_TROUBLES: dict[str, tuple[Tone, Promise]] = {
    "status:ERROR": ("error", gettext_lazy("Error")),
    "is:stuck": ("pending", ATTENTION["stuck"]),
    "is:warning": ("warn", ATTENTION["warning"]),
    "missing<1d": ("off", gettext_lazy("No longer listed since yesterday")),
}


class Bar(msgspec.Struct, frozen=True):
    """A row of a card. `instances` is None if they are not counted. `url` is empty if no address can hold the query.

    `start` and `width` are of `WIDTH`. `is_other`: it stands for no single value.
    """

    label: str
    instances: int | None
    url: str
    start: int = 0
    width: int = 0
    tone: Tone = "neutral"
    is_other: bool = False


class Card(msgspec.Struct, frozen=True):
    """The values that instances have for a key."""

    id: str
    title: str
    bars: tuple[Bar, ...]


class NewInstance(msgspec.Struct, frozen=True):
    """One of the newest. `name` is the beginning of its id if it has none. `url` is empty if it has no page."""

    name: str
    url: str
    state: str
    tone: Tone
    flavor: str
    created_at: datetime | None


class RecentChange(msgspec.Struct, frozen=True):
    """What changed of an instance, in words, and when at the latest. `url` is empty if it has no page."""

    name: str
    url: str
    words: str
    until: datetime


class Sum(msgspec.Struct, frozen=True):
    label: str
    value: str


def list_troubles(figures: Figures, region: Region) -> tuple[Bar, ...]:
    """What there is to look at; nothing if no instance needs attention."""
    return tuple(
        Bar(str(_TROUBLES[query][1]), figures.troubles[query], _link(region, query), tone=_TROUBLES[query][0])
        for query in TROUBLES
        if figures.troubles[query]
    )


def build_states(figures: Figures, region: Region) -> Card:
    """Its bars are parts of one."""
    bars = [_name_state(bar) for bar in _list_bars(figures.breakdowns["status"], "status", region)]
    total = max(1, figures.totals.instances)
    ends = [round(each * WIDTH / total) for each in accumulate((bar.instances or 0 for bar in bars), initial=0)]
    parts = [
        msgspec.structs.replace(bar, start=start, width=end - start)
        for bar, start, end in zip(bars, ends, ends[1:], strict=False)
    ]
    return Card("states", str(TITLES["status"]), tuple(parts))


def build_cards(figures: Figures, region: Region) -> tuple[Card, ...]:
    """Its bars are as long as their share of the longest."""
    return tuple(
        _build_card(key, breakdown, region) for key, breakdown in figures.breakdowns.items() if key != "status"
    )


def list_sums(totals: Totals) -> tuple[Sum, ...]:
    return (
        Sum("vCPU", number_text(totals.vcpus)),
        Sum(_("RAM"), mebibytes(totals.ram)),
        Sum(_("Disk"), gigabytes(totals.disk)),
    )


def list_newest(figures: Figures, region: Region) -> tuple[NewInstance, ...]:
    found = []
    for instance in figures.newest:
        state, flavor = derive_state(instance), instance.flavor
        found.append(
            NewInstance(
                name=shorten(instance.name or (instance.id or "")[:SHORT_ID]),
                url=named_instance_url(region, instance.id or "", instance.name or "", back=NEWEST_VIEW),
                state=state.word,
                tone=state.tone,
                flavor=shorten((flavor.name or flavor.id or "") if flavor else ""),
                created_at=instance.created_at,
            )
        )
    return tuple(found)


def list_changes(figures: Figures, region: Region) -> tuple[RecentChange, ...]:
    return tuple(
        RecentChange(
            name_instance(change),
            named_instance_url(region, change.instance_id, change.name),
            describe_difference(change),
            change.until,
        )
        for change in figures.changes
    )


def _build_card(key: str, breakdown: Breakdown, region: Region) -> Card:
    bars = list(_list_bars(breakdown, key, region))
    longest = max((bar.instances or 0 for bar in bars if not bar.is_other), default=0) or 1
    bars = [
        bar
        if bar.is_other
        else msgspec.structs.replace(bar, width=max(1, round((bar.instances or 0) * WIDTH / longest)))
        for bar in bars
    ]
    if key.startswith(METADATA):
        return Card("metadata", _("Metadata"), tuple(bars))
    return Card(f"{key}s", str(TITLES[key]), tuple(bars))


def _list_bars(breakdown: Breakdown, key: str, region: Region) -> Iterator[Bar]:
    for each in breakdown.values:
        yield Bar(shorten(each.text), each.instances, _link(region, each.query))
    if breakdown.more:
        words = ngettext("%(count)s other value", "%(count)s other values", breakdown.more)
        label = words % {"count": number_text(breakdown.more)}
        yield Bar(label, breakdown.rest, _link(region, breakdown.rest_query), is_other=True)
    if breakdown.without:
        label = str(WITHOUT.get(key) or _("Not set"))
        yield Bar(label, breakdown.without, _link(region, breakdown.without_query), is_other=True)


def _name_state(bar: Bar) -> Bar:
    if bar.is_other:
        return bar
    state = derive_state(Instance(status=bar.label))
    return msgspec.structs.replace(bar, label=state.word, tone=state.tone)


def _link(region: Region, query: str) -> str:
    view = ListView(q=query)
    is_too_long = len(query) > LONGEST_TEXT or len(view.to_query_string()) > LONGEST_QUERY
    return "" if is_too_long or find_forbidden_character(query) else list_url(region, view)
