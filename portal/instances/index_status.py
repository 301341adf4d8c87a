"""What is said of a list that the index answers: how much it has, how old it is, how far a walk is, and sums."""

from datetime import datetime, timedelta
from math import ceil

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.core.filters import gigabytes, mebibytes
from portal.core.numbers import number_text
from portal.fleet.search import Totals
from portal.instances.indexed import Coverage, IndexedList

SPREAD = timedelta(minutes=1)
# What would take longer was interrupted for long, so that its pace says nothing.
LONGEST_ESTIMATE = timedelta(hours=3)
SECONDS_IN_WORDS = 100
BUDGET_KINDS = frozenset({"rate-limit-reached", "rate-limited", "busy"})
REJECTED_KINDS = frozenset({"rejected", "forbidden"})


class IndexStatus(msgspec.Struct, frozen=True):
    """`coverage` says how much of the list the index has. `oldest` and `newest` are dates of what is shown.

    `progress` describes a walk that has read `seen` of `total` instances; empty if there is none to tell of.
    `live_url` leads to the list without the index; it is set if the index cannot answer.
    """

    coverage: str = ""
    oldest: datetime | None = None
    newest: datetime | None = None
    progress: str = ""
    seen: int = 0
    total: int = 0
    live_url: str = ""
    problems: tuple[str, ...] = ()
    sums: str = ""

    @property
    def is_spread(self) -> bool:
        """Whether the dates of the oldest and the newest differ in a way that people would notice."""
        return bool(self.oldest and self.newest and self.newest - self.oldest >= SPREAD)


def describe_coverage(
    coverage: Coverage, *, newest: datetime | None = None, problems: tuple[str, ...] = ()
) -> IndexStatus:
    """Of a page that shows no instances."""
    progress = _describe_progress(coverage)
    return IndexStatus(
        coverage=_describe_coverage(coverage),
        newest=newest,
        progress=progress,
        seen=coverage.seen if progress else 0,
        total=(coverage.total or 0) if progress else 0,
        problems=problems,
    )


def describe_status(coverage: Coverage, totals: Totals, *, problems: tuple[str, ...] = ()) -> IndexStatus:
    return msgspec.structs.replace(
        describe_coverage(coverage, newest=totals.newest, problems=problems),
        oldest=totals.oldest,
        sums=_describe_sums(totals) if totals.instances else "",
    )


def describe_count(coverage: Coverage, totals: Totals) -> str:
    """`12`, or `at least 12` as long as the index does not have the whole list."""
    count = number_text(totals.instances)
    return count if coverage.is_complete else _("at least %(least)s") % {"least": count}


def describe_range(found: IndexedList) -> str:
    """`21–40 of 150`, or `21–40 of at least 150`."""
    if not found.instances:
        return ""
    return _("%(first)s–%(last)s of %(total)s") % {
        "first": number_text(found.first + 1),
        "last": number_text(found.first + len(found.instances)),
        "total": describe_count(found.coverage, found.totals),
    }


def _describe_coverage(coverage: Coverage) -> str:
    known = number_text(coverage.known)
    if coverage.total is None or coverage.total < coverage.known:
        # ByCloud counts without those that the next walk will miss.
        return ngettext("%(known)s instance", "%(known)s instances", coverage.known) % {"known": known}
    named = {"known": known, "total": number_text(coverage.total)}
    return ngettext("%(known)s of %(total)s instance", "%(known)s of %(total)s instances", coverage.total) % named


def _describe_progress(coverage: Coverage) -> str:
    """Of a walk that was never finished before, or that is interrupted. Later ones change little."""
    if coverage.is_complete and not coverage.pause:
        return ""
    named = {"seen": number_text(coverage.seen), "total": number_text(coverage.total or 0)}
    if coverage.total is None:
        text = _("Reading the fleet: %(seen)s so far") % named
    else:
        text = _("Reading the fleet: %(seen)s of about %(total)s") % named
    if coverage.left and coverage.left < LONGEST_ESTIMATE:
        text = _("%(progress)s, %(rest)s left") % {"progress": text, "rest": _describe_rest(coverage.left)}
    if not coverage.pause:
        return f"{text} …"
    if coverage.pause in REJECTED_KINDS:
        reason = _("Stopped: ByCloud rejects the credential.")
    elif coverage.pause in BUDGET_KINDS:
        reason = _("Waiting for the API budget.")
    else:
        reason = _("Waiting: ByCloud does not answer as expected.")
    return f"{text}. {reason}"


def _describe_rest(left: timedelta) -> str:
    seconds = left.total_seconds()
    if seconds < SECONDS_IN_WORDS:
        return _("about %(seconds)d s") % {"seconds": max(5, 5 * ceil(seconds / 5))}
    return _("about %(minutes)d min") % {"minutes": ceil(seconds / 60)}


def _describe_sums(totals: Totals) -> str:
    """`12 instances · 48 vCPU · 96 GiB RAM · 960 GB disk`."""
    count = ngettext("%(known)s instance", "%(known)s instances", totals.instances)
    return " · ".join(
        [
            count % {"known": number_text(totals.instances)},
            f"{number_text(totals.vcpus)} vCPU",
            _("%(size)s RAM") % {"size": mebibytes(totals.ram)},
            _("%(size)s disk") % {"size": gigabytes(totals.disk)},
        ]
    )
