"""Markup kept in this process: what is rendered again and again from the same values is rendered once.

What is kept sees what it is given and nothing else, and all of it is in its name, with the language and the time zone.
So nobody is shown what was made from another's values. Tokens are put in when it is taken out.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sized
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar

import msgspec
from django.conf import settings
from django.template import Context, Engine
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

MOST_BYTES = 2 * 1024 * 1024
# Stand in what is kept for what each request has of its own. Nobody can guess them, so no text from outside is taken
# for one.
_TOKEN, _HERE = secrets.token_hex(32), secrets.token_hex(32)


S = TypeVar("S", bound=Sized)


class LruCache(Generic[S]):
    """Values by key, at most so many bytes (`len`) of them; what was not used for longest goes first."""

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


_cache: LruCache[bytes] = LruCache(MOST_BYTES)


def name_values(*values: object) -> bytes:
    """A short name for these values, read in the present language and time zone: the same values, the same name.

    JSON, since sizes from upstream may be numbers that MessagePack has no room for.
    """
    reader = (get_language(), timezone.get_current_timezone_name())
    return blake2b(msgspec.json.encode((reader, values), enc_hook=_encode)).digest()


def render_cached(context: Context, template_name: str, given: Mapping[str, object]) -> SafeString:
    """The template with what it is given. Its forms get the token of who asks, and `here` is the address she is at."""
    key = name_values(template_name, given)
    kept = _cache.find(key)
    if kept is None:
        template = Engine.get_default().get_template(template_name)
        kept = template.render(context.new({"csrf_token": _TOKEN, "here": _HERE, **given})).encode()
        _cache.keep(key, kept)
    html = kept.decode()
    if _TOKEN in html:
        html = html.replace(_TOKEN, str(context.get("csrf_token", "")))
    if _HERE in html:
        html = html.replace(_HERE, escape(context["request"].get_full_path()))
    return mark_safe(html)


def _encode(value: object) -> object:
    """Texts: markup is not what reads like it. Anything else does not say all that it is, and so has no name."""
    if isinstance(value, SafeString):
        return {"markup": value[:]}
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be named by its value")
