"""Conditions of a query as conditions of the database. The same texts match in every database."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache, reduce
from operator import or_

from django.conf import settings
from django.db.models import Q
from django.db.models import Value as Constant
from django.db.models.functions import StrIndex, Substr
from django.db.models.lookups import Contains, EndsWith
from django.utils import translation
from django.utils.translation import gettext as _

from portal.bycloud import Instance, InstanceQuery
from portal.fleet.keys import list_ranks
from portal.fleet.models import Facet, IndexedFleet, Term
from portal.fleet.quantities import (
    Range,
    find_mac_digits,
    read_age_range,
    read_count,
    read_gigabytes,
    read_mebibytes,
    read_network,
    read_range,
)
from portal.fleet.query import METADATA, Condition, Value, find_metadata_name
from portal.fleet.records import REF_KEYS
from portal.fleet.status import KNOWN_STATUSES, Tone, derive_state
from portal.fleet.texts import fold

# A transition that takes longer is called stuck.
STUCK_AFTER = timedelta(hours=1)

_READERS: dict[str, Callable[[str], Decimal]] = {"vcpus": read_count, "ram": read_mebibytes, "disk": read_gigabytes}
# The beginning of a MAC address: at least half of it.
_MAC_PART = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){2,4}")
_DOTTED = re.compile(r"[\d.]*", re.ASCII)


def match_condition(fleet: IndexedFleet, condition: Condition, now: datetime) -> Q:
    """Where one of its values holds. Raises `ValueError` with a sentence if one of them cannot be."""
    if not condition.values:
        example = f"{condition.key}:{'stuck' if condition.key == 'is' else '*'}"
        raise ValueError(_("It needs a value, such as %(example)s.") % {"example": example})
    return reduce(or_, [_match_value(fleet, condition.key, value, now) for value in condition.values])


def match_filters(fleet: IndexedFleet, filters: InstanceQuery) -> Iterator[Q]:
    """The filters that ByCloud has. Unlike there, case does not matter."""
    if filters.name:
        text = filters.name.removesuffix("*")
        yield _match_name(Value(text, any_after=text != filters.name))
    if filters.status:
        yield _match_term(fleet, "status", Q(value=fold(filters.status)))
    for tag in filters.tags:
        yield _match_term(fleet, "tag", Q(value=fold(tag)))
    for key, wanted_id in zip(REF_KEYS, (filters.flavor_id, filters.image_id), strict=True):
        if wanted_id:
            yield _match_term(fleet, key, Q(value=fold(wanted_id)))


def _match_value(fleet: IndexedFleet, key: str, value: Value, now: datetime) -> Q:
    match key:
        case "":
            found = _match_word(fleet, value)
        case "vcpus" | "ram" | "disk":
            found = _match_number(key, value)
        case "created" | "updated" | "launched" | "missing":
            found = _match_age(f"{key}_at", value, now)
        case "is":
            found = _match_trouble(value, now)
        case "ip":
            found = _match_address(fleet, value)
        case "name":
            found = _match_name(value)
        case "id":
            found = _match_text("instance_id", value)
        case "status":
            words = [status for status, shown in _list_status_words() if any(_holds(value, word) for word in shown)]
            found = _match_term(fleet, key, _match_text("value", value) | Q(value__in=words))
        case _:
            name = find_metadata_name(key)
            found = _match_term(fleet, METADATA + fold(name) if name else key, _match_text("value", value))
    return found


def _match_word(fleet: IndexedFleet, value: Value) -> Q:
    """A part of any text, or with `*` a line that begins or ends with it. Addresses are found in any notation."""
    text = fold(value.text)
    if value.any_before and value.any_after:
        return Q(text__text__contains=text)
    if value.any_after:
        return Q(text__text__startswith=text) | Q(text__text__contains=f"\n{text}")
    if value.any_before:
        return Q(text__text__contains=f"{text}\n")
    found = Q(text__text__contains=text)
    digits = find_mac_digits(text)
    if digits and digits != text:
        found |= Q(text__text__contains=digits)
    elif _MAC_PART.fullmatch(text) and "-" in text:
        found |= Q(text__text__contains=text.replace("-", ":"))
    if ("/" in text or ":" in text) and (network := _find_network(text)):
        found |= _match_term(fleet, "ip", network)
    return found


def _find_network(text: str) -> Q | None:
    try:
        first, last = read_network(text)
    except ValueError:
        return None
    return Q(value__gte=first.hex(), value__lte=last.hex())


def _match_address(fleet: IndexedFleet, value: Value) -> Q:
    if not value.any_before and not value.any_after:
        first, last = read_network(value.text)
        return _match_term(fleet, "ip", Q(value__gte=first.hex(), value__lte=last.hex()))
    if not _DOTTED.fullmatch(value.text):
        raise ValueError(_("Expected an address or a network, such as 10.16.0.0/16."))
    return _match_term(fleet, "ip", _match_text("shown", value))


def _match_trouble(value: Value, now: datetime) -> Q:
    """By the state that is shown, which `state_rank` has: `stuck` in a transition, or with a `warning`."""
    word = "*" if value.any_before or value.any_after else fold(value.text)
    if word == "stuck":
        return is_toned("pending") & Q(updated_at__lt=now - STUCK_AFTER)
    if word == "warning":
        return is_toned("warn")
    raise ValueError(_("Expected stuck or warning."))


def is_toned(tone: Tone) -> Q:
    """The state is shown with this tone."""
    ranks = list_ranks(tone)
    return Q(state_rank__gte=ranks.start, state_rank__lt=ranks.stop)


def _match_name(value: Value) -> Q:
    """The name is the first line of the text."""
    if _is_any(value):
        return ~Q(text__text__startswith="\n")
    text = fold(value.text)
    if not value.any_before:
        return Q(text__text__startswith=text if value.any_after else f"{text}\n")
    name = Substr("text__text", 1, StrIndex("text__text", Constant("\n")) - 1)
    return Q(Contains(name, text) if value.any_after else EndsWith(name, text))


def _match_term(fleet: IndexedFleet, key: str, found: Q) -> Q:
    terms = Term.objects.filter(found, fleet=fleet, key=key)
    return Q(pk__in=Facet.objects.filter(term__in=terms).values("instance_id"))


def _match_text(field: str, value: Value) -> Q:
    text = fold(value.text)
    if value.any_before and value.any_after:
        return Q(**{f"{field}__contains": text})
    if value.any_before:
        return Q(**{f"{field}__endswith": text})
    return Q(**{f"{field}__startswith": text}) if value.any_after else Q(**{field: text})


def _holds(value: Value, text: str) -> bool:
    wanted = fold(value.text)
    if value.any_before and value.any_after:
        return wanted in text
    if value.any_before:
        return text.endswith(wanted)
    return text.startswith(wanted) if value.any_after else text == wanted


def is_word_of_other_status(text: str) -> bool:
    """Whether a status is shown in this word that ByCloud calls otherwise, such as `Stopped`."""
    word = fold(text)
    return any(word in shown and word != status for status, shown in _list_status_words())


@lru_cache(maxsize=1)
def _list_status_words() -> tuple[tuple[str, frozenset[str]], ...]:
    """The known statuses, each with the words that are shown for it, in all languages."""
    words: dict[str, set[str]] = {status: set() for status in KNOWN_STATUSES}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for status, shown in words.items():
                shown.add(fold(derive_state(Instance(status=status)).word))
    return tuple((fold(status), frozenset(shown)) for status, shown in words.items())


def _match_number(field: str, value: Value) -> Q:
    """The columns hold whole numbers, so the bounds are rounded to such."""
    if _is_any(value):
        return Q(**{f"{field}__isnull": False})
    wanted = read_range(_read_plain(value), _READERS[field])
    found = Q()
    if wanted.low is not None:
        rounding, lookup = (ROUND_CEILING, "gte") if wanted.has_low else (ROUND_FLOOR, "gt")
        found &= Q(**{f"{field}__{lookup}": _round(wanted.low, rounding)})
    if wanted.high is not None:
        rounding, lookup = (ROUND_FLOOR, "lte") if wanted.has_high else (ROUND_CEILING, "lt")
        found &= Q(**{f"{field}__{lookup}": _round(wanted.high, rounding)})
    return found


def _round(number: Decimal, rounding: str) -> int:
    return int(number.to_integral_value(rounding))


def _match_age(field: str, value: Value, now: datetime) -> Q:
    """What is older was made earlier."""
    if _is_any(value):
        return Q(**{f"{field}__isnull": False})
    wanted: Range = read_age_range(_read_plain(value))
    found = Q()
    if wanted.low is not None:
        found &= Q(**{f"{field}__{'lte' if wanted.has_low else 'lt'}": _go_back(now, wanted.low)})
    if wanted.high is not None:
        found &= Q(**{f"{field}__{'gte' if wanted.has_high else 'gt'}": _go_back(now, wanted.high)})
    return found


def _go_back(now: datetime, seconds: Decimal) -> datetime:
    earliest = datetime.min.replace(tzinfo=UTC)
    return now - min(timedelta(seconds=float(min(seconds, Decimal(10**12)))), now - earliest)


def _is_any(value: Value) -> bool:
    return value.any_after and not value.text


def _read_plain(value: Value) -> str:
    if value.any_before or value.any_after:
        raise ValueError(_("A number cannot have *."))
    return value.text
