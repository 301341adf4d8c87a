"""The number of upstream requests depends on the distinct views that are open, not on the number of tabs."""

from itertools import pairwise

import pytest

from portal.gateway import FetchPolicy
from portal.sandbox.server import Sandbox
from tests.benchmarks.figures import count_most_within
from tests.benchmarks.simulation import Plan, describe, list_events, simulate

PLAN = Plan(minutes=2)


def test_each_tab_refreshes_twice_a_minute_in_order_of_time() -> None:
    events = list(list_events(PLAN))
    assert all(before[0] <= after[0] for before, after in pairwise(events))
    assert sum(1 for _, policy, _ in events if policy is FetchPolicy.REVALIDATE) == 150 * 2 * 2
    assert {view for _, _, view in events} == set(range(5))
    assert events == list(list_events(PLAN))


def test_150_tabs_on_5_views_stay_near_the_least_possible_and_within_the_limits() -> None:
    with Sandbox(rate_per_minute=60, rate_per_hour=1000) as sandbox:
        outcome = simulate(PLAN, sandbox)
    # A page is fresh for 15 s: five views ask four times a minute at most, and at least for the second tab of each.
    assert 5 * 4 * 2 * 0.8 < len(outcome.moments) <= 5 * 4 * 2
    assert count_most_within(outcome.moments, 60) <= 20
    assert (outcome.refused_by_upstream, outcome.waiting_for_rate_limit) == (0, 0)
    assert max(outcome.ages) < 30
    assert describe(PLAN, outcome)[2:5] == [str(len(outcome.moments)), "40", "600"]


@pytest.mark.slow
def test_tabs_that_want_more_than_the_rate_limit_wait_and_are_never_refused_by_bycloud() -> None:
    with Sandbox(rate_per_minute=60, rate_per_hour=1000) as sandbox:
        outcome = simulate(Plan(minutes=60, people=10, tabs=1, opens_every=3600), sandbox)
    assert outcome.refused_by_upstream == 0
    assert count_most_within(outcome.moments, 3600) <= 1000
