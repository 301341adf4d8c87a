"""An in-process cache for template fragments that are rendered often with the same values.

A fragment sees only its arguments. All of them are part of the cache key, together with the language and the time zone,
so a fragment is never reused for other values. CSRF tokens are inserted after the lookup.
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
# Placeholders in cached markup for values of the current request. They are random, so that no external text can contain
# them.
_TOKEN, _HERE = secrets.token_hex(32), secrets.token_hex(32)


S = TypeVar("S", bound=Sized)


class LruCache(Generic[S]):
    """Values by key, limited by their total size in bytes (`len`). The least recently used value is evicted first."""

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
        # In development, template changes must be visible immediately.
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
    """Return a cache key for these values in the active language and time zone.

    Uses JSON, because sizes from ByCloud may be integers that are too large for MessagePack.
    """
    reader = (get_language(), timezone.get_current_timezone_name())
    return blake2b(msgspec.json.encode((reader, values), enc_hook=_encode)).digest()


def render_cached(context: Context, template_name: str, given: Mapping[str, object]) -> SafeString:
    """Render the template with its arguments. `csrf_token` and `here` (the current URL) are those of the current
    request.
    """
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
    """Encode lazy strings as text, and markup differently from text. Other types have no stable key: `TypeError`."""
    if isinstance(value, SafeString):
        return {"markup": value[:]}
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be named by its value")
