"""Helpers for client addresses, URLs and their paths, redirects and query strings."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import quote_plus, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.request import split_domain_port
from django.urls import Resolver404, URLResolver, get_resolver, get_urlconf, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.bycloud import Region
from portal.core.invisible import show_plain

MOST_NAMED = 5
LONGEST_NAME = 80
# As much as fits into the message cookie, in any script.
LONGEST_NAMES = 240
# Proxies accept request lines of about 8,000 bytes, as RFC 9112, section 3, recommends.
LONGEST_ADDRESS = 8000
# URL arguments that are safe to log: ids of rows and instances.
_HARMLESS = ("pk", "instance_id")
_MOST_SEGMENTS = 8
_LONGEST_SEGMENT = 40
# Characters that Markdown and chat apps treat as markup or cut off at the end of a URL; urlencode does not escape them.
_FRAGILE = re.compile(r"[_~]|[.,-](?=[.,-]|&|$)")
# Characters that clients may escape or not: the unreserved ones of RFC 3986 that `encode_query` escapes, and the comma.
_INTERCHANGEABLE = re.compile(r"%(5F|7E|2E|2D|2C)", re.IGNORECASE)


class RegionConverter:
    """For routes with a region code in the settings. Views get a `bycloud.Region`."""

    regex = "[a-z0-9-]+"

    def to_python(self, value: str) -> Region:
        region: Region | None = settings.BYCLOUD_REGIONS.get(value)
        if region is None:
            raise ValueError(value)
        return region

    def to_url(self, value: Region | str) -> str:
        return value if isinstance(value, str) else value.code


def encode_query(pairs: Iterable[tuple[str, str]], *, safe: str = ",") -> str:
    """Encode a query string so that it survives being pasted: characters that chat apps would change are escaped."""
    encoded = []
    for name, text in pairs:
        encoded.append(f"{name}={_FRAGILE.sub(_escape, quote_plus(text, safe=safe))}")
    return "&".join(encoded)


def is_same_query(one: str, other: str) -> bool:
    """Whether two query strings are equivalent. Some clients decode unreserved characters or encode commas; without
    this they would be redirected in a loop.
    """
    plain = [_INTERCHANGEABLE.sub(lambda found: chr(int(found[1], 16)), query) for query in (one, other)]
    return plain[0] == plain[1]


def add_way_back(url: str, back: str | None) -> str:
    """Add `back` to `url` as `next`; without its query string if the result would be too long."""
    if not back:
        return url
    whole = f"{url}?{encode_query([('next', back)], safe='/')}"
    return whole if len(whole) <= LONGEST_ADDRESS else add_way_back(url, back.partition("?")[0])


def read_address(request: HttpRequest) -> str:
    """Return the client's IP address, or "" if it is unknown.

    With TRUSTED_PROXY_COUNT = n, the n-th entry of `X-Forwarded-For` from the right was added by the outermost trusted
    proxy; entries left of it come from the client and are ignored. A header with fewer than n entries did not pass
    through all proxies and is ignored, too.
    """
    count = settings.TRUSTED_PROXY_COUNT
    entries = request.headers.get("X-Forwarded-For", "").split(",")
    entry = entries[-count] if 0 < count <= len(entries) else ""
    return _read_ip(entry) or _read_ip(request.META.get("REMOTE_ADDR", ""))


def read_network(request: HttpRequest) -> str:
    """Return the client to count requests for: its address, or for IPv6 the network of 64 bits, all of which one
    client may use.
    """
    address = read_address(request).partition("%")[0]
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address


def make_absolute(path: str) -> str:
    """Return the absolute URL of a path, for links in e-mails and redirects. Never based on the request's host."""
    return f"{settings.PUBLIC_URL}{path}"


def is_at_public_host(request: HttpRequest) -> bool:
    """Whether cookies of this request are also sent to PUBLIC_URL. Ports are ignored: cookies ignore them, and proxies
    often omit them.
    """
    host, _port = split_domain_port(request.get_host())
    return host == split_domain_port(urlsplit(settings.PUBLIC_URL).netloc)[0]


def is_own_url(request: HttpRequest, url: str | None) -> bool:
    """Whether a redirect to `url` stays on this origin. Ignores the query string, because Django rejects long URLs."""
    url = url and re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())


def find_own_path(request: HttpRequest, url: str | None) -> str | None:
    """Return the path and query of `url` if it is on this origin and safe to go back to, otherwise None.

    The URL of a form-only view shows nothing on GET, so the list of instances is returned instead.
    """
    if not url or not is_own_url(request, url):
        return None
    split = urlsplit(url)
    # Two leading slashes would turn the path into a host, and browsers treat a backslash as a slash.
    path = "/" + split.path.lstrip("/\\")
    try:
        match = resolve(path)
    except Resolver404:
        match = None
    if match and getattr(match.func, "takes_forms_only", False):
        region = match.kwargs.get("region")
        return reverse("instances:list", args=[region]) if isinstance(region, Region) else reverse("home")
    return f"{path}?{split.query}" if split.query else path


def list_unknown(request: HttpRequest, known: Collection[str]) -> tuple[str, ...]:
    """Return the query parameters that the page does not support. Newsletters, chat apps and mail gateways add some."""
    return tuple(name for name in request.GET if name not in known)


def redirect_without(request: HttpRequest, unknown: Sequence[str], url: str) -> HttpResponseRedirect:
    """Redirect to `url`, the same address without the unknown parameters, with a message that lists them."""
    if unknown:
        messages.info(request, describe_unknown(unknown))
    return HttpResponseRedirect(url)


def describe_unknown(unknown: Sequence[str]) -> str:
    """Name the first few: they come from the URL and may be many and long. Empty if there are none."""
    if not unknown:
        return ""
    names = _shorten(
        ", ".join(_shorten(show_plain(name), LONGEST_NAME) for name in unknown[:MOST_NAMED]), LONGEST_NAMES
    )
    more = len(unknown) - MOST_NAMED
    if more > 0:
        names += ngettext(" and %(count)d more", " and %(count)d more", more) % {"count": more}
    return _("Unknown parameters were ignored: %(names)s.") % {"names": names}


def describe_path(request: HttpRequest) -> str:
    """The path for the log and the audit: known words, regions and, for a resolved route, ids. Of other segments, which
    came from outside and may be secret, only the length is kept.
    """
    match = request.resolver_match
    known = {str(match.kwargs[name]) for name in _HARMLESS if name in match.kwargs} if match else set()
    words, regions = _list_words(get_resolver(get_urlconf())), settings.BYCLOUD_REGIONS
    shown = []
    for segment in request.path.split("/", _MOST_SEGMENTS):
        word = segment.removesuffix(".json")
        is_known = len(word) <= _LONGEST_SEGMENT and (word in words or word in regions or word in known)
        shown.append(segment if not word or is_known else f"[{len(segment)} characters]")
    return "/".join(shown)


@lru_cache(maxsize=8)
def _list_words(resolver: URLResolver) -> frozenset[str]:
    """All literal segments of the URL patterns, and the prefix of static files."""
    return frozenset(_walk(resolver)) | {settings.STATIC_URL.strip("/")}


def _walk(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        yield from (segment for segment in str(entry.pattern).split("/") if "<" not in segment)
        if isinstance(entry, URLResolver):
            yield from _walk(entry)


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _read_ip(text: str) -> str:
    """Return the IP address in `1.2.3.4`, `1.2.3.4:567`, `::1` or `[::1]:567` in its normal form, or "".

    An IPv4-mapped address (`::ffff:1.2.3.4`) is returned as IPv4, because rate limits treat a whole IPv6 network as one
    client.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
