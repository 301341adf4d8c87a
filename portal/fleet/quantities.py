"""Reads quantities, ages and addresses in a query. Raises `ValueError` with a sentence for people."""

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network

import msgspec
from django.utils.translation import gettext as _

from portal.fleet.keys import address_key

MEBIBYTES = {"m": 1, "g": 1024, "t": 1024 * 1024}
GIGABYTES = {"g": 1, "t": 1000}
SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}

_NUMBER = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([a-z]*)", re.IGNORECASE | re.ASCII)
_MAC_SEPARATORS = re.compile(r"[:.-]")
_MAC = re.compile(r"[0-9a-f]{12}")


class Range(msgspec.Struct, frozen=True):
    """Numbers between two bounds; None is no bound. `has_low` and `has_high`: the bound itself is one of them."""

    low: Decimal | None
    high: Decimal | None
    has_low: bool = True
    has_high: bool = True


def read_range(text: str, read: Callable[[str], Decimal]) -> Range:
    """`8`, `>=8`, `>8`, `<=8`, `<8`, `4..8`, `4..`, `..8`. A range contains both of its bounds."""
    if text[:1] in {"<", ">"}:
        sign, number = (text[:2], text[2:]) if text[1:2] == "=" else (text[:1], text[1:])
        bound, has_bound = read(number), sign.endswith("=")
        if sign[0] == ">":
            return Range(bound, None, has_low=has_bound)
        return Range(None, bound, has_high=has_bound)
    low, dots, high = text.partition("..")
    if not dots:
        return Range(read(text), read(text))
    if not low and not high:
        raise ValueError(_("It needs a number."))
    return Range(read(low) if low else None, read(high) if high else None)


def read_count(text: str) -> Decimal:
    return _read_number(text, {"": 1}, _("a number, such as 4, >=8 or 4..8"))


def read_mebibytes(text: str) -> Decimal:
    """In MiB; without a unit, the text is in GiB, as sizes are shown."""
    return _read_number(
        text, {"": MEBIBYTES["g"], **_with_names(MEBIBYTES, "ib", "b")}, _("a size, such as 512m or >=8")
    )


def read_gigabytes(text: str) -> Decimal:
    """In GB, also without a unit."""
    return _read_number(text, {"": 1, **_with_names(GIGABYTES, "b")}, _("a size, such as 40 or >=100"))


def read_age(text: str) -> Decimal:
    """In seconds. It needs a unit."""
    return _read_number(text, SECONDS, _("an age, such as <30d, >12h or 1d..7d"))


def read_age_range(text: str) -> Range:
    """An age that is exact to the second would never hold."""
    if text[:1] not in {"<", ">"} and ".." not in text:
        read_age(text)
        raise ValueError(_("Use < or > before an age, such as <30d."))
    return read_range(text, read_age)


def read_network(text: str) -> tuple[bytes, bytes]:
    """The keys of the first and the last address of `10.16.0.0/16`, or of a single address."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(_("Expected an address or a network, such as 10.16.0.0/16.")) from None
    first, last = (address_key(str(network[place])) for place in (0, -1))
    return first or b"", last or b""


def find_mac_digits(text: str) -> str:
    """The twelve digits of a MAC address in any notation, in lower case; empty if it is not one."""
    digits = _MAC_SEPARATORS.sub("", text.lower())
    return digits if _MAC.fullmatch(digits) else ""


def _with_names(units: dict[str, int], *endings: str) -> dict[str, int]:
    return units | {unit + ending: factor for unit, factor in units.items() for ending in endings}


def _read_number(text: str, units: dict[str, int], expected: str) -> Decimal:
    match = _NUMBER.fullmatch(text.strip())
    factor = units.get(match[2].lower()) if match else None
    if not match or factor is None:
        raise ValueError(_("Expected %(expected)s.") % {"expected": expected})
    return Decimal(match[1]) * factor
