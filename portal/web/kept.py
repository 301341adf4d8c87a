"""Markup kept in this process: what is rendered again and again from the same values is rendered once.

What is kept sees what it is given and nothing else, and all of it is in its name, with the language and the time zone.
So nobody is shown what was made from another's values. Tokens are put in when it is taken out.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from threading import Lock
from typing import Generic, Protocol, TypeVar

import msgspec
from django.conf import settings
from django.template import Context, Engine
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

MOST_BYTES = 4 * 1024 * 1024
# Stands for the reader's CSRF token in what is kept. Nobody can guess it, so no text from outside contains it.
_TOKEN = secrets.token_hex(32)


class Sized(Protocol):
    """What a `Shelf` keeps: it knows how many bytes it takes."""

    def __len__(self) -> int: ...


S = TypeVar("S", bound=Sized)


class Shelf(Generic[S]):
    """Values by key, at most so many bytes of them; what was not used for longest goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._values: OrderedDict[bytes, S] = OrderedDict()
        self.total_bytes = 0

    def find(self, key: bytes) -> S | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: bytes, value: S) -> None:
        # A template that is being worked on must show.
        if settings.DEBUG:
            return
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self.total_bytes += len(value)
            while self.total_bytes > self._most_bytes:
                self.total_bytes -= len(self._values.popitem(last=False)[1])


_shelf: Shelf[bytes] = Shelf(MOST_BYTES)


def name_values(*values: object) -> bytes:
    """A short name for these values, read in the present language and time zone: the same values, the same name.

    JSON, since sizes from upstream may be numbers that MessagePack has no room for.
    """
    reader = (get_language(), timezone.get_current_timezone_name())
    return blake2b(msgspec.json.encode((reader, values), enc_hook=_encode)).digest()


def render_kept(context: Context, template_name: str, given: Mapping[str, object]) -> SafeString:
    """The template with what it is given and, for its forms, the token of who asks."""
    key = name_values(template_name, given)
    html = _shelf.find(key)
    if html is None:
        template = Engine.get_default().get_template(template_name)
        html = template.render(context.new({"csrf_token": _TOKEN, **given})).encode()
        _shelf.keep(key, html)
    return mark_safe(html.decode().replace(_TOKEN, str(context.get("csrf_token", ""))))


def _encode(value: object) -> object:
    """Texts: markup is not what reads like it. Anything else does not say all that it is, and so has no name."""
    if isinstance(value, SafeString):
        return {"markup": value[:]}
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be named by its value")
