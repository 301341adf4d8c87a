"""After a failure, upstream is left alone for a growing while, by all processes; a refused credential for good."""

from datetime import UTC, datetime, timedelta

import msgspec

from portal.gateway.access import Access
from portal.gateway.freshness import Asking, Trouble
from portal.gateway.store import forget, recall, remember

LONGEST_SECONDS = 60
PAUSING_KINDS = frozenset({"unreachable", "timed-out", "server-fault", "rate-limited", "rejected"})


class Pause(msgspec.Struct, frozen=True):
    """Nothing is asked before `until` (None: until the credential is replaced). `failures` came one after another."""

    trouble: Trouble
    failures: int
    until: datetime | None

    def holds_back(self, asking: Asking) -> bool:
        """Whether this asking waits. A person who presses Retry need not, but for a refused token or a 429."""
        if self.until is None:
            return True
        if self.until <= datetime.now(UTC):
            return False
        return self.trouble.kind == "rate-limited" or not asking.is_pressed


def find_pause(access: Access) -> Pause | None:
    """The pause that is kept for an access, over or not."""
    return recall(access, "pause", Pause)


def record_failure(access: Access, trouble: Trouble, *, began_at: datetime) -> Trouble:
    """Begin or lengthen the pause that `trouble` calls for. Gives the trouble with when upstream is asked again.

    `began_at` is when the request was sent. One that was under way when another failed is the same failure, seen twice.
    """
    if trouble.kind not in PAUSING_KINDS:
        return trouble
    before = find_pause(access)
    failures = before.failures if before else 0
    if before is None or began_at >= before.trouble.at:
        failures += 1
    until = trouble.at + timedelta(seconds=min(2 ** (failures - 1), LONGEST_SECONDS))
    if trouble.retry_at:
        until = max(until, trouble.retry_at)
    if trouble.kind == "rejected":
        remember(access, "pause", Pause(trouble, failures, None))
        return trouble
    trouble = msgspec.structs.replace(trouble, retry_at=until)
    remember(access, "pause", Pause(trouble, failures, until))
    return trouble


def end_pause(access: Access) -> None:
    """Upstream has answered: nothing is held back any more."""
    if find_pause(access):
        forget(access, "pause")
