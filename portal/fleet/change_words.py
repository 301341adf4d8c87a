"""Changes in words, in the reader's language and time zone. What comes from outside is in them as it is."""

from collections import Counter
from datetime import date, timedelta

import msgspec
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.bycloud import Instance
from portal.core.filters import DASH, shorten
from portal.core.formatting import exact_text, iso_text, local_time, minute_text
from portal.core.numbers import say_and_more
from portal.fleet.changes import Change
from portal.fleet.models import ChangeKind
from portal.fleet.status import State, Tone, derive_state

ARROW, PLUS, MINUS = "→", "+", "−"
# Of the values that were added, and of those that were removed.
MOST_VALUES = 5
# A shorter span is shown as one time.
SPAN = timedelta(minutes=1)

KIND_NAMES: dict[ChangeKind, Promise] = {
    ChangeKind.APPEARED: gettext_lazy("Appeared"),
    ChangeKind.VANISHED: gettext_lazy("Vanished"),
    ChangeKind.STATE: gettext_lazy("State"),
    ChangeKind.FLAVOR: gettext_lazy("Flavor"),
    ChangeKind.ADDRESSES: gettext_lazy("Addresses"),
    ChangeKind.NAME: gettext_lazy("Name"),
    ChangeKind.TAGS: gettext_lazy("Tags"),
    ChangeKind.METADATA: gettext_lazy("Metadata"),
}
_LISTS = frozenset({ChangeKind.ADDRESSES, ChangeKind.TAGS, ChangeKind.METADATA})
_ARRIVALS = frozenset({ChangeKind.APPEARED, ChangeKind.VANISHED})


class Side(msgspec.Struct, frozen=True):
    """What a value was, or what it is now. A state has a `tone`."""

    text: str
    tone: Tone | None = None


class Difference(msgspec.Struct, frozen=True):
    """A change to be shown: from `before` to `after`, or, of a list, the values that were `added` and `removed`.

    At most `MOST_VALUES` of either; `more` counts the others. Nothing at all for an instance that appeared or vanished.
    """

    before: Side | None = None
    after: Side | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    more: int = 0


class ChangeText(msgspec.Struct, frozen=True):
    """A change to be shown. `span` says when, `iso` and `exact` until when."""

    kind: ChangeKind
    kind_name: str
    difference: Difference
    span: str
    iso: str
    exact: str


def write_change(change: Change, *, day: date | None = None) -> ChangeText:
    """`day` is that of `describe_span`."""
    return ChangeText(
        kind=change.kind,
        kind_name=str(KIND_NAMES[change.kind]),
        difference=compare(change),
        span=describe_span(change, day=day),
        iso=iso_text(change.until),
        exact=exact_text(change.until),
    )


def compare(change: Change) -> Difference:
    if change.kind in _ARRIVALS:
        return Difference()
    if change.kind in _LISTS:
        return _compare_lists(change)
    if change.kind is ChangeKind.STATE:
        return _compare_states(change)
    return Difference(before=Side(shorten(change.before) or DASH), after=Side(shorten(change.after) or DASH))


def describe_difference(change: Change) -> str:
    """`Active → Rebooting`, `m1.small → m1.large`, `+10.16.0.9 −10.16.0.4`, `Appeared`."""
    found = compare(change)
    if found.before and found.after:
        return f"{found.before.text} {ARROW} {found.after.text}"
    words = [*(PLUS + value for value in found.added), *(MINUS + value for value in found.removed)]
    if found.more:
        words.append(say_and_more(found.more))
    return " ".join(words) or str(KIND_NAMES[change.kind])


def describe_change(change: Change) -> str:
    """`web-14: Active → Rebooting`."""
    return f"{name_instance(change)}: {describe_difference(change)}"


def name_instance(change: Change) -> str:
    """The instance's name, or the beginning of its id if it has none."""
    return shorten(change.name) or change.instance_id[:8]


def describe_span(change: Change, *, day: date | None = None) -> str:
    """`14:31`, or `between 14:02 and 14:31`. Dates are left out on `day`, which is today if not given."""
    day = day or timezone.localdate()
    until = minute_text(change.until, day)
    if change.since is None or change.until - change.since < SPAN:
        return until
    since = minute_text(change.since, day)
    if since == until or local_time(change.since) > local_time(change.until):
        return until
    return _("between %(since)s and %(until)s") % {"since": since, "until": until}


def _compare_lists(change: Change) -> Difference:
    before, after = (Counter(filter(None, value.split("\n"))) for value in (change.before, change.after))
    added, removed = (tuple((one - other).elements()) for one, other in ((after, before), (before, after)))
    return Difference(
        added=tuple(map(shorten, added[:MOST_VALUES])),
        removed=tuple(map(shorten, removed[:MOST_VALUES])),
        more=len(added[MOST_VALUES:]) + len(removed[MOST_VALUES:]),
    )


def _compare_states(change: Change) -> Difference:
    """As words that differ: the state, or the state with its detail, or ByCloud's own words."""
    states = [_read_state(value) for value in (change.before, change.after)]
    words = [state.word for state in states]
    if words[0] == words[1]:
        words = [f"{state.word} ({state.detail})" if state.detail else state.word for state in states]
    if words[0] == words[1]:
        words = [", ".join(filter(None, value.split("\n"))) for value in (change.before, change.after)]
    before, after = (Side(shorten(word) or DASH, state.tone) for word, state in zip(words, states, strict=True))
    return Difference(before=before, after=after)


def _read_state(value: str) -> State:
    """The state that `records.list_facts` has written."""
    status, power_state, task_state = (*value.split("\n", 2), "", "", "")[:3]
    return derive_state(Instance(status=status, power_state=power_state, task_state=task_state))
