"""After a failure, upstream is left alone for a growing while, by all processes; a refused credential for good."""

from datetime import UTC, datetime, timedelta

import msgspec

from portal.gateway.access import Access
from portal.gateway.freshness import Asking, Trouble
from portal.gateway.leases import hold_briefly
from portal.gateway.store import forget, recall, remember

LONGEST_SECONDS = 60
PAUSING_KINDS = frozenset({"unreachable", "timed-out", "server-fault", "rate-limited", "rejected"})


class Pause(msgspec.Struct, frozen=True):
    """Nothing is asked before `until` (None: until the credential is replaced). `failures` came one after another.

    `is_named`: it was ByCloud that said when to come back, or that it is too much.
    """

    trouble: Trouble
    failures: int
    until: datetime | None
    is_named: bool = False

    def holds_back(self, asking: Asking) -> bool:
        """Whether this asking waits. A person who presses Retry need not, unless ByCloud itself has said to."""
        if self.until is None:
            return True
        if self.until <= datetime.now(UTC):
            return False
        return self.is_named or not asking.is_pressed


def find_pause(access: Access) -> Pause | None:
    """The pause that is kept for an access, over or not."""
    return recall(access, "pause", Pause)


def record_failure(access: Access, trouble: Trouble, *, began_at: datetime) -> Trouble:
    """Begin or lengthen the pause that `trouble` calls for. Gives the trouble with when upstream is asked again.

    `began_at` is when the request was sent. One that was under way when another failed is the same failure, seen twice.
    """
    if trouble.kind not in PAUSING_KINDS:
        return trouble
    with hold_briefly(f"pause:{access.scope}:lock"):
        return _lengthen(access, trouble, began_at)


def end_pause(access: Access, *, is_credential_good: bool = False) -> None:
    """Upstream has answered: nothing is held back any more, unless it has named a time or refused the credential.

    An answer that was under way then says nothing against that, but `is_credential_good` does: it was asked just now.
    """
    if find_pause(access) is None:
        return
    with hold_briefly(f"pause:{access.scope}:lock"):
        pause = find_pause(access)
        if pause and (is_credential_good if pause.until is None else not pause.holds_back(Asking.FORCED)):
            forget(access, "pause")


def _lengthen(access: Access, trouble: Trouble, began_at: datetime) -> Trouble:
    before = find_pause(access)
    failures = before.failures if before else 0
    if before is None or began_at >= before.trouble.at:
        failures += 1
    if trouble.kind == "rejected":
        remember(access, "pause", Pause(trouble, failures, None))
        return trouble
    until = trouble.at + timedelta(seconds=min(2 ** (failures - 1), LONGEST_SECONDS))
    is_named = trouble.kind == "rate-limited" or trouble.retry_at is not None
    if trouble.retry_at:
        until = max(until, trouble.retry_at)
    if before and (before.until is None or before.until > until):
        # What was under way when a longer pause began does not cut it short.
        return msgspec.structs.replace(trouble, retry_at=before.until)
    trouble = msgspec.structs.replace(trouble, retry_at=until)
    remember(access, "pause", Pause(trouble, failures, until, is_named))
    return trouble
