"""Ids that look random but encode the instance's number, so that no table of ids is needed."""

import hashlib
import uuid
from dataclasses import dataclass

_TAG_BYTES = 10
_NUMBER_BYTES = 6


@dataclass(frozen=True)
class Identities:
    """UUID ↔ number, for one key. The last six bytes are the number, masked by a hash of the first ten."""

    key: str

    def id_of(self, number: int) -> str:
        tag = self._digest("tag", number.to_bytes(_NUMBER_BYTES, "big"), _TAG_BYTES)
        stamped = uuid.UUID(bytes=tag + bytes(_NUMBER_BYTES), version=4).bytes[:_TAG_BYTES]
        return str(uuid.UUID(bytes=stamped + self._masked(stamped, number)))

    def find_number(self, identifier: str) -> int | None:
        """The number from which `id_of` made this id, or None if it did not."""
        stamped = uuid.UUID(identifier).bytes
        head, tail = stamped[:_TAG_BYTES], int.from_bytes(stamped[_TAG_BYTES:], "big")
        number = int.from_bytes(self._masked(head, tail), "big")
        return number if self.id_of(number) == identifier else None

    def _masked(self, head: bytes, number: int) -> bytes:
        mask = int.from_bytes(self._digest("mask", head, _NUMBER_BYTES), "big")
        return (number ^ mask).to_bytes(_NUMBER_BYTES, "big")

    def _digest(self, purpose: str, data: bytes, size: int) -> bytes:
        return hashlib.blake2b(data, digest_size=size, key=self.key.encode()[:64], person=purpose.encode()).digest()
