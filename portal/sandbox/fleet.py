"""The instances of one organization: computed on request, with only changed ones in memory."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from portal.sandbox.addresses import addresses
from portal.sandbox.catalog import BUILDING
from portal.sandbox.filters import Filters, Json
from portal.sandbox.identities import Identities
from portal.sandbox.pattern import Slot

REGION = "spo1"
_OLDEST = timedelta(days=4 * 365)
_NEWEST = timedelta(minutes=3)


@dataclass(frozen=True)
class Transition:
    """A changed instance: its state until `settles_at`, and after that (None: deleted)."""

    during: Json
    after: Json | None
    settles_at: datetime

    def at(self, now: datetime) -> Json | None:
        return self.during if now < self.settles_at else self.after


@dataclass
class Fleet:
    """Instances are numbered by age, the oldest is 0. Number `n` is at position `n % len(pattern)` of the pattern.

    The same name and size give the same instances. Their times are relative to `started_at`.
    """

    organization: str
    pattern: tuple[Slot, ...]
    size: int
    started_at: datetime
    changed: dict[int, Transition] = field(default_factory=dict)
    created: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first_size = self.size
        self.key = f"1/{self.organization}"
        self.identities = Identities(self.key)

    def create(self, count: int, now: datetime) -> list[Json]:
        """Add instances, newest last. They continue the pattern."""
        numbers = range(self.size, self.size + count)
        self.size += count
        self.created |= dict.fromkeys(numbers, now)
        return [self._original(number) for number in numbers]

    def find_number(self, identifier: str) -> int | None:
        """The number of an instance that exists or has existed; None for an unknown id."""
        number = self.identities.find_number(identifier)
        return number if number is not None and number < self.size else None

    def find_instance(self, number: int, now: datetime) -> Json | None:
        """The instance object as in the API's response at this time; None if it is deleted."""
        if number in self.changed:
            return self.changed[number].at(now)
        return self._original(number)

    def select(self, filters: Filters, now: datetime) -> list[int]:
        """The numbers of all matching instances, ascending."""
        found: list[int] = []
        for place, slot in enumerate(self.pattern):
            if filters.matches_traits(status=slot.state.status, tags=slot.tags, flavor=slot.flavor, image=slot.image):
                numbers = range(place, self.size, len(self.pattern))
                if filters.name is None:
                    found += numbers
                else:
                    found += (number for block, number in enumerate(numbers) if filters.matches_name(slot.name(block)))
        current = {number: changed.at(now) for number, changed in self.changed.items()}
        found = [number for number in found if number not in current]
        return sorted([*found, *(number for number, now_is in current.items() if now_is and filters.matches(now_is))])

    def _original(self, number: int) -> Json:
        block, place = divmod(number, len(self.pattern))
        slot = self.pattern[place]
        identifier = self.identities.id_of(number)
        created_at = self.created.get(number) or self.started_at - self._age(number)
        launched_at = created_at + timedelta(seconds=20 + number % 40)
        never_ran = slot.state.status == BUILDING.status or (slot.fault is not None and not slot.networks)
        age = max(self.started_at - launched_at, timedelta())
        updated_at = None if slot.state == BUILDING else launched_at + age * self._chance(number)
        return {
            "id": identifier,
            "crn": f"crn:{REGION}:compute:instance:{identifier}",
            "name": slot.name(block),
            "description": slot.description,
            **slot.state.fields(),
            "flavor": slot.flavor,
            "image": slot.image,
            "addresses": {} if never_ran else addresses(slot.networks, number),
            "security_groups": [{"name": name} for name in slot.security_groups],
            "volumes_attached": [self._volume(number, position) for position in range(slot.volumes)],
            "key_names": list(slot.key_names),
            "metadata": dict(slot.metadata),
            "tags": list(slot.tags),
            "fault": slot.fault
            and {
                "code": slot.fault.code,
                "message": slot.fault.message,
                "details": slot.fault.details,
                "created": format_time(launched_at),
            },
            "created_at": format_time(created_at),
            "updated_at": updated_at and format_time(updated_at),
            "launched_at": None if never_ran else format_time(launched_at),
            "terminated_at": format_time(updated_at) if slot.is_terminated and updated_at else None,
        }

    def _volume(self, number: int, position: int) -> Json:
        return {
            "id": Identities(f"{self.key}/volume/{position}").id_of(number),
            "device": f"/dev/vd{'bcdefghij'[position]}" if (number + position) % 7 else None,
            "delete_on_termination": position == 0,
        }

    def _age(self, number: int) -> timedelta:
        """Minutes for the newest, years for the oldest, always increasing."""
        share = (self.first_size - 1 - number + self._chance(number) * 0.8) / self.first_size
        return _NEWEST + _OLDEST * share**3

    def _chance(self, number: int) -> float:
        """A pseudo-random number in [0, 1), always the same for the same instance."""
        drawn = hashlib.blake2b(f"{self.key}/{number}".encode(), digest_size=4).digest()
        return int.from_bytes(drawn, "big") / 2**32


def format_time(moment: datetime) -> str:
    """A time in the API's format: ISO 8601, UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
