"""How many requests go upstream while 50 people keep 3 tabs each open: the real gateway and sandbox, simulated time."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import time_machine
from django.conf import settings
from django.core.cache import caches

from portal.bycloud import BearerToken, InstanceQuery, Region
from portal.gateway import ApiSession, FetchFailed, FetchPolicy, read_page
from portal.sandbox.server import Sandbox
from tests.benchmarks.figures import count_most_within, format_table, middle, percentile
from tests.benchmarks.servers import TOKEN, control, say
from tests.ticking import all_clocks_agree

MINUTE, HOUR = 60.0, 3600.0
BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
# A page that was shown stale asks for the fresh one this much later.
ASKS_AGAIN_AFTER = 0.3
VIEWS = (
    InstanceQuery(limit=20),
    InstanceQuery(limit=20, status="ACTIVE"),
    InstanceQuery(limit=20, status="ERROR"),
    InstanceQuery(limit=50),
    InstanceQuery(limit=20, name="web*"),
)


@dataclass(frozen=True)
class Plan:
    """Each person keeps `tabs` open, each on one of `views`, and opens a page every `opens_every` seconds or so."""

    minutes: int = 10
    people: int = 50
    tabs: int = 3
    views: int = 5
    refresh_seconds: float = 30.0
    opens_every: float = 120.0
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """When upstream was asked (seconds since the start), and what the people got."""

    moments: tuple[float, ...]
    refreshes: int
    opens: int
    refused_by_upstream: int
    waiting_for_rate_limit: int
    ages: tuple[float, ...]


def list_events(plan: Plan) -> Iterator[tuple[float, FetchPolicy, int]]:
    """What happens in order of time: when, how a page is asked for, and which view."""
    chance = random.Random(plan.seed)  # noqa: S311 -- the same people each time
    ends_at = plan.minutes * MINUTE
    order = count()
    events = []
    for tab in range(plan.people * plan.tabs):
        phase = chance.uniform(0, plan.refresh_seconds)
        events.append((phase, next(order), FetchPolicy.REVALIDATE, tab % plan.views))
    events += [
        (chance.expovariate(1 / plan.opens_every), next(order), FetchPolicy.CACHE_FIRST, -1) for _ in range(plan.people)
    ]
    heapq.heapify(events)
    while events and events[0][0] < ends_at:
        moment, _, policy, view = heapq.heappop(events)
        if policy is FetchPolicy.REVALIDATE:
            heapq.heappush(events, (moment + plan.refresh_seconds, next(order), policy, view))
            yield moment, policy, view
        else:
            heapq.heappush(events, (moment + chance.expovariate(1 / plan.opens_every), next(order), policy, -1))
            yield moment, policy, chance.randrange(plan.views)


def simulate(plan: Plan, sandbox: Sandbox) -> Outcome:
    """Play the plan against the gateway. The sandbox keeps its own limits by the same simulated clock."""
    access = ApiSession(Region("spo1", sandbox.url), BearerToken(TOKEN))
    refreshes = opens = waiting = 0
    ages = []

    def look(policy: FetchPolicy, view: int) -> bool:
        """Read a page as a tab does. Whether it is to ask again by itself."""
        nonlocal waiting
        try:
            page = read_page(access, VIEWS[view], policy=policy)
        except FetchFailed as failure:
            waiting += failure.error.kind == "rate-limit-reached"
            return False
        waiting += bool(
            page.error and page.error.kind == "rate-limit-reached" and policy is not FetchPolicy.CACHE_FIRST
        )
        ages.append((datetime.now(UTC) - page.fetched_at).total_seconds())
        return page.is_due

    with time_machine.travel(BEGIN, tick=False) as clock, all_clocks_agree():
        caches["pages"].clear()
        sandbox.reset()
        for moment, policy, view in list_events(plan):
            clock.move_to(BEGIN.timestamp() + moment)
            if policy is FetchPolicy.REVALIDATE:
                refreshes += 1
                look(policy, view)
                continue
            opens += 1
            if look(policy, view):
                clock.shift(ASKS_AGAIN_AFTER)
                look(FetchPolicy.REVALIDATE, view)
        log = control(sandbox.url, "GET", "requests").json()
    moments = tuple((datetime.fromisoformat(one["at"]) - BEGIN).total_seconds() for one in log)
    refused = sum(1 for one in log if one["status"] != 200)
    return Outcome(moments, refreshes, opens, refused, waiting, tuple(ages))


def describe(plan: Plan, outcome: Outcome) -> list[object]:
    least = plan.views * MINUTE / settings.PAGE_FRESH_SECONDS
    by_themselves = plan.people * plan.tabs * MINUTE / plan.refresh_seconds
    return [
        plan.minutes,
        f"{outcome.refreshes:,} + {outcome.opens:,}",
        f"{len(outcome.moments):,}",
        f"{least * plan.minutes:,.0f}",
        f"{by_themselves * plan.minutes:,.0f}",
        count_most_within(outcome.moments, MINUTE),
        count_most_within(outcome.moments, HOUR),
        outcome.refused_by_upstream,
        f"{outcome.waiting_for_rate_limit:,}",
        f"{middle(outcome.ages):.0f} / {percentile(outcome.ages, 0.95):.0f} / {max(outcome.ages):.0f} s",
    ]


HEADINGS = (
    "minutes",
    "refreshes + pages opened",
    "upstream",
    "least possible",
    "each tab by itself",
    "most in a minute (60)",
    "most in an hour (1,000)",
    "refused by ByCloud",
    "told to wait for the rate limit",
    "age of what was shown: p50 / p95 / most",
)


def main() -> None:
    say("## Requests upstream: 50 people, 3 tabs each, 5 views, one credential, fresh for 15 s, refresh every 30 s\n")
    rows = []
    with Sandbox(rate_per_minute=60, rate_per_hour=1000) as sandbox:
        for minutes in (10, 60):
            plan = Plan(minutes=minutes)
            rows.append(describe(plan, simulate(plan, sandbox)))
    say(format_table(HEADINGS, rows) + "\n")
