"""Sort keys: bytes that every database sorts in the same way, and as people expect. None: the value is absent."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from portal.bycloud import Instance
from portal.fleet.status import KNOWN_STATUSES, State, Tone
from portal.fleet.texts import fold

LONGEST_NAME = 128
# Of what is rarely sorted by: the rows must stay narrow.
LONGEST_OTHER = 24
# The most urgent first.
URGENCY: tuple[Tone, ...] = ("error", "warn", "pending", "neutral", "ok", "off")

_RANKS = {status: rank for rank, status in enumerate(KNOWN_STATUSES)}
_STATUSES_OF_A_TONE = 100
_DIGITS = re.compile("[0-9]+")
_LONGEST_NUMBER = 99
_IPV4_AS_IPV6 = bytes(10) + b"\xff\xff"


def natural_key(text: str | None, longest: int = LONGEST_NAME) -> bytes | None:
    """Without regard to case, and numbers by their value: `web-2` comes before `Web-14`."""
    if not text:
        return None
    return _DIGITS.sub(_write_number, fold(text[:longest])).encode()


def list_key(values: Iterable[str | None] | None) -> bytes | None:
    """Of several values, in their order."""
    return natural_key("\n".join(filter(None, values or ())), LONGEST_OTHER)


def address_key(address: str | None) -> bytes | None:
    """The 16 bytes of an IP address; IPv4 is mapped into IPv6 (`::ffff:10.0.0.1`). None if it is not one."""
    try:
        packed = ip_address(address or "").packed
    except ValueError:
        return None
    return packed if len(packed) == len(_IPV4_AS_IPV6) + 4 else _IPV4_AS_IPV6 + packed


def state_rank(instance: Instance, state: State) -> int:
    """The most urgent state first, and equal ones together."""
    tone: Tone = "error" if state.is_fault else state.tone
    rank = _RANKS.get((instance.status or "").upper(), _STATUSES_OF_A_TONE - 1)
    return URGENCY.index(tone) * _STATUSES_OF_A_TONE + rank


def list_ranks(tone: Tone) -> range:
    """All ranks of the states with this tone."""
    first = URGENCY.index(tone) * _STATUSES_OF_A_TONE
    return range(first, first + _STATUSES_OF_A_TONE)


def _write_number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0") or "0"
    return f"{min(len(digits), _LONGEST_NUMBER):02}{digits}"
