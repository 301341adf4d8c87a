"""A walk through a list that changes at every step loses no instance and invents none."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
import pytest
import time_machine
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portal.accounts.models import Member
from portal.bycloud import BearerToken, InstanceQuery, Region, decode_instance_page, split_instances
from portal.fleet import walk as walking
from portal.fleet.models import IndexedFleet, IndexedInstance, ObservedChange, Outcome, Pass
from portal.fleet.walk import StepState, make_step
from portal.gateway import ApiSession, FetchedPage, FetchError, FetchFailed
from tests.credentials.rows import keep
from tests.fleet.conftest import fleet_of
from tests.memory import undone

PAGE = 3
# What a marker of an instance that is gone gives: ByCloud does not say.
Lost = Literal["continues", "rejected", "empty", "restarts"]


@dataclass
class SimulatedList:
    """A list that is read by markers, and changes in between. Newest first."""

    lost: Lost
    rows: list[int]
    order: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Every row that ever was, in the order of the list: where a marker that is gone has stood.
        self.order = list(self.rows)
        self.next_row = max(self.rows, default=0) + 1

    def create(self, position: int) -> None:
        at = position % (len(self.order) + 1)
        self.order.insert(at, self.next_row)
        present = {*self.rows, self.next_row}
        self.rows = [row for row in self.order if row in present]
        self.next_row += 1

    def delete(self, position: int) -> None:
        if self.rows:
            self.rows.pop(position % len(self.rows))

    def fetch(self, session: ApiSession, query: InstanceQuery) -> FetchedPage:
        start = 0
        if query.marker:
            marker = UUID(query.marker).int
            if marker in self.rows or self.lost == "continues":
                before = set(self.order[: self.order.index(marker) + 1])
                start = sum(row in before for row in self.rows)
            elif self.lost == "rejected":
                raise FetchFailed(FetchError("invalid-request", datetime.now(UTC), "No such marker", status=400))
            else:
                start = len(self.rows) if self.lost == "empty" else 0
        shown = self.rows[start : start + PAGE]
        body = msgspec.json.encode(
            {
                "instances": [{"id": id_of(row), "name": f"vm-{row}"} for row in shown],
                "meta": {"total": len(self.rows), "limit": PAGE, "has_more": start + PAGE < len(self.rows)},
            }
        )
        return FetchedPage(session, decode_instance_page(body), split_instances(body), timezone.now())


def id_of(row: int) -> str:
    return str(UUID(int=row))


class DiedError(BaseException):
    """The process ends, with the lease in its hand."""


def die(*_arguments: object, **_named: object) -> None:
    raise DiedError


def list_rows(session: ApiSession, **conditions: object) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), **conditions)
    return set(rows.values_list("instance_id", flat=True))


event = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 50)),
    st.tuples(st.just("delete"), st.integers(0, 50)),
    st.tuples(st.just("die before"), st.just(0)),
    st.tuples(st.just("die after"), st.just(0)),
)


@pytest.fixture
def simulated(ada: Member) -> ApiSession:
    keep(ada, BearerToken("simulated"))
    return ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("simulated"))


@given(
    st.tuples(
        st.sampled_from(["continues", "rejected", "empty", "restarts"]),
        st.integers(0, 12),
        st.lists(st.lists(event, max_size=2), max_size=8),
    )
)
@example(("rejected", 9, [[("delete", 2), ("delete", 1)]]))
@example(("empty", 12, [[("delete", 2)], [("delete", 4)]]))
# Each example is some sixty steps.
@settings(
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_instance_is_lost_or_invented(
    simulated: ApiSession,
    monkeypatch: pytest.MonkeyPatch,
    clock: time_machine.Traveller,
    plan: tuple[Lost, int, list[list[tuple[str, int]]]],
) -> None:
    lost, size, events = plan
    rows = SimulatedList(lost, list(range(1, size + 1)))
    with undone(), monkeypatch.context() as patch:
        patch.setattr(walking, "fetch_for_walk", rows.fetch)
        begun_with: set[int] = set(rows.rows)
        for happening in [*events, *[[]] * 60]:
            clock.shift(timedelta(minutes=4))
            for what, position in happening:
                if what == "create":
                    rows.create(position)
                elif what == "delete":
                    rows.delete(position)
                else:
                    with patch.context() as once:
                        once.setattr(walking, "fetch_for_walk" if what == "die before" else "write_page", die)
                        with suppress(DiedError):
                            make_step(simulated)
                            continue
                        # What a process leaves that was killed.
                        IndexedFleet.objects.update(lease="dead", leased_until=timezone.now() + timedelta(seconds=30))
                        clock.shift(timedelta(minutes=2))
            before = set(rows.rows)
            begins = count_steps(simulated) == 0
            step = make_step(simulated)
            walk = Pass.objects.order_by("number").last()
            if step.state is not StepState.MADE:
                continue
            begun_with = before if begins else begun_with
            # Nobody is in the index who never was in the list.
            ever = {id_of(row) for row in rows.order}
            assert list_rows(simulated) <= ever
            if walk and walk.outcome == Outcome.COMPLETE:
                # Who was there all the time is in the index, and not missing.
                stayed = {id_of(row) for row in begun_with & set(rows.rows)}
                assert stayed <= list_rows(simulated, missing_at=None)
            # Who is there is never called gone.
            assert not list_rows(simulated, gone_at__isnull=False) & {id_of(row) for row in rows.rows}
        # The list has been still for several walks: the index is the list, and its changes are those that were.
        assert list_rows(simulated, missing_at=None) == {id_of(row) for row in rows.rows}
        assert list_rows(simulated, gone_at__isnull=False) == list_rows(simulated) - {id_of(row) for row in rows.rows}
        vanished = ObservedChange.objects.filter(kind="vanished").values_list("instance_id", flat=True)
        assert sorted(vanished) == sorted(list_rows(simulated, gone_at__isnull=False))
        assert not IndexedFleet.objects.exclude(lease="").exists()


def count_steps(session: ApiSession) -> int:
    """The steps that the walk under way has made; 0 if there is none."""
    latest = Pass.objects.order_by("number").last()
    return latest.pages if latest and latest.outcome == Outcome.WALKING else 0
