"""What an instance can be found by: one text with everything that is stored and shown of it."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from django.utils import translation

from portal.bycloud import Instance, list_mac_addresses
from portal.bycloud.tolerant import read_json, repair
from portal.core.filters import DASH, gigabytes, mebibytes
from portal.fleet.status import derive_state

LONGEST_TEXT = 16_000

_DECODER = msgspec.json.Decoder()
_SEPARATORS = re.compile("[:.-]")
# A database's text cannot hold NUL.
_NUL = {0: "\N{REPLACEMENT CHARACTER}"}


def fold(text: str) -> str:
    """As texts and terms are compared: composed, without regard to case, and without NUL."""
    if text.isascii():
        return plain(text).lower()
    return unicodedata.normalize("NFC", text).casefold().translate(_NUL)


def plain(text: str) -> str:
    """A text as a database can hold it."""
    return text.translate(_NUL) if "\0" in text else text


def write_text(instance: Instance, source: bytes) -> str:
    """The name, and then each other value, on a line of its own that ends with a line break, folded.

    The name's line is there without a name, too. At most `LONGEST_TEXT` characters are kept.
    """
    lines = {(instance.name or "").replace("\n", " "): None}
    lines |= dict.fromkeys(_list_values(_read_json(source)))
    lines |= dict.fromkeys(strip_mac(address) for address in list_mac_addresses(instance))
    lines |= dict.fromkeys(
        _list_state_words(instance.status, instance.power_state, instance.task_state, instance.vm_state)
    )
    if instance.flavor:
        lines |= dict.fromkeys(_list_sizes(instance.flavor.ram, instance.flavor.disk))
    return fold("\n".join(lines)[: LONGEST_TEXT - 1]) + "\n"


def strip_mac(address: str) -> str:
    """A MAC address in any notation as its digits only."""
    return _SEPARATORS.sub("", address)


def _read_json(source: bytes) -> Any:
    try:
        return _DECODER.decode(source)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return read_json(repair(source))
    except (ValueError, RecursionError):
        return None


def _list_values(value: Any, name: str = "") -> Iterator[str]:
    """Every text and number in a JSON value, with the names that people have given: of networks and metadata."""
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                if name == "metadata":
                    yield f"{key}={'' if each is None else each}"
                    continue
                if name == "addresses":
                    yield key
                yield from _list_values(each, key)
        case list():
            for each in value:
                yield from _list_values(each)
        case bool() | None:
            pass
        case _:
            yield str(value)


@lru_cache(maxsize=1024)
def _list_state_words(*statuses: str | None) -> tuple[str, ...]:
    """The state as it is shown, in every language."""
    status, power_state, task_state, vm_state = statuses
    instance = Instance(status=status, power_state=power_state, task_state=task_state, vm_state=vm_state)
    words = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            state = derive_state(instance)
            words += [state.word, state.detail]
    return tuple(filter(None, words))


@lru_cache(maxsize=1024)
def _list_sizes(ram: int | None, disk: int | None) -> tuple[str, ...]:
    """RAM and disk as they are shown, in every language."""
    words = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            words += [mebibytes(ram), gigabytes(disk)]
    return tuple(word for word in words if word != DASH)
