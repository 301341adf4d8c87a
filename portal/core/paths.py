"""A path as it may stand in the log and on record: what strangers put into it, or a person pasted, does not."""

from collections.abc import Iterator
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLResolver, get_resolver, get_urlconf

# What a route takes that opens nothing: numbers of rows and instances.
_HARMLESS = ("pk", "instance_id")
_MOST_SEGMENTS = 8
_LONGEST_SEGMENT = 40


def describe_path(request: HttpRequest) -> str:
    """The path with the portal's own words, regions and, where a route was found, ids. Of the rest, the length."""
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
    """Every fixed segment of a route, and where static files begin."""
    return frozenset(_walk(resolver)) | {settings.STATIC_URL.strip("/")}


def _walk(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        yield from (segment for segment in str(entry.pattern).split("/") if "<" not in segment)
        if isinstance(entry, URLResolver):
            yield from _walk(entry)
