"""Formats request paths for the log and the audit, without text that came from outside or may be a secret."""

from collections.abc import Iterator
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLResolver, get_resolver, get_urlconf

# URL arguments that are safe to log: ids of rows and instances.
_HARMLESS = ("pk", "instance_id")
_MOST_SEGMENTS = 8
_LONGEST_SEGMENT = 40


def describe_path(request: HttpRequest) -> str:
    """The path with known words, regions and, for a resolved route, ids. Only the length of other segments is kept."""
    match = request.resolver_match
    known = set(settings.BYCLOUD_REGIONS) | _list_words(get_resolver(get_urlconf()))
    if match:
        known |= {str(match.kwargs[name]) for name in _HARMLESS if name in match.kwargs}
    *segments, last = request.path.split("/", _MOST_SEGMENTS)
    return "/".join(_show(segment, known) for segment in (*segments, last))


def _show(segment: str, known: set[str]) -> str:
    word = segment.removesuffix(".json")
    is_shown = not word or (len(word) <= _LONGEST_SEGMENT and word in known)
    return segment if is_shown else f"[{len(segment)} characters]"


@lru_cache(maxsize=8)
def _list_words(resolver: URLResolver) -> frozenset[str]:
    """All literal segments of the URL patterns, and the prefix of static files."""
    return frozenset(_walk(resolver)) | {settings.STATIC_URL.strip("/")}


def _walk(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        yield from (segment for segment in str(entry.pattern).split("/") if "<" not in segment)
        if isinstance(entry, URLResolver):
            yield from _walk(entry)
