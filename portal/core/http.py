"""Where a request came from, and the way back: knows proxies, nothing of people."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.request import split_domain_port
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from portal.bycloud import Region
from portal.core.invisible import show_plain

MOST_NAMED = 5
LONGEST_NAME = 80
# What a message in a cookie has room for, in any script.
LONGEST_NAMES = 240
# Proxies read some 8,000 bytes of a request's first line, as RFC 9112, section 3, recommends.
LONGEST_ADDRESS = 8000
# What Markdown and chats read as markup, or cut off where an address ends: urlencode leaves these as they are.
_FRAGILE = re.compile(r"[_~]|[.,-](?=[.,-]|&|$)")
_UNRESERVED = re.compile(r"%(5F|7E|2E|2D)", re.IGNORECASE)
View = TypeVar("View", bound=Callable[..., Any])


def encode_query(pairs: Iterable[tuple[str, str]], *, safe: str = ",") -> str:
    """A query string that may be pasted anywhere: no sign in its values is read as markup, or cut off at its end."""
    return "&".join(f"{name}={_FRAGILE.sub(_escape, quote_plus(text, safe=safe))}" for name, text in pairs)


def is_same_query(one: str, other: str) -> bool:
    """Whether two query strings are the same to all. Some programs decode these signs, and would be led on for ever."""
    plain = [_UNRESERVED.sub(lambda found: chr(int(found[1], 16)), query) for query in (one, other)]
    return plain[0] == plain[1]


def add_way_back(url: str, back: str | None) -> str:
    """`url` with `back` as its `next`; with its path alone, where all of it would not fit into an address."""
    if not back:
        return url
    whole = f"{url}?{encode_query([('next', back)], safe='/')}"
    return whole if len(whole) <= LONGEST_ADDRESS else add_way_back(url, back.partition("?")[0])


def require_post(view: View) -> View:
    """For a view that takes what a form sends, and shows no page that one could come back to."""
    view = require_POST(view)
    view.takes_forms_only = True  # type: ignore[attr-defined]
    return view


def read_address(request: HttpRequest) -> str:
    """The client's IP address, or "" when there is none to believe.

    With TRUSTED_PROXY_COUNT = n, the n-th entry of `X-Forwarded-For` from the right is the one our outermost proxy
    wrote; what stands left of it came from the client and counts for nothing. A list that is shorter than n did not
    pass through all of them, so it is not believed either.
    """
    count = settings.TRUSTED_PROXY_COUNT
    entries = request.headers.get("X-Forwarded-For", "").split(",")
    entry = entries[-count] if 0 < count <= len(entries) else ""
    return _read_ip(entry) or _read_ip(request.META.get("REMOTE_ADDR", ""))


def make_absolute(path: str) -> str:
    """The whole address of a page, for what leaves the portal. It never follows the host or port of a request."""
    return f"{settings.PUBLIC_URL}{path}"


def is_at_public_host(request: HttpRequest) -> bool:
    """Whether cookies of this request also go to PUBLIC_URL. They know no ports, and proxies often leave theirs out."""
    host, _port = split_domain_port(request.get_host())
    return host == split_domain_port(urlsplit(settings.PUBLIC_URL).netloc)[0]


def is_own_url(request: HttpRequest, url: str | None) -> bool:
    """Whether a redirect to `url` stays on this very origin. Django refuses long ones, which a query may make it."""
    url = url and re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())


def find_own_path(request: HttpRequest, url: str | None) -> str | None:
    """Path and query of `url` when it is on this very origin, as one may go back to.

    An answer to a form has the form's address, which shows nothing by itself: its way back is the list of instances.
    """
    if not url or not is_own_url(request, url):
        return None
    split = urlsplit(url)
    # Two slashes in front would make a host of what was a path, and to browsers a backslash is one.
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
    """The parameters of an address that its page does not have. Newsletters, chats and mail gateways append some."""
    return tuple(name for name in request.GET if name not in known)


def leave_out(request: HttpRequest, unknown: Sequence[str], url: str) -> HttpResponseRedirect:
    """On to `url`, the same address without what its page does not have. The page that is come to names it."""
    if unknown:
        messages.info(request, describe_unknown(unknown))
    return HttpResponseRedirect(url)


def describe_unknown(unknown: Sequence[str]) -> str:
    """The first few by name: they are a stranger's words, and may be many and long."""
    names = _shorten(
        ", ".join(_shorten(show_plain(name), LONGEST_NAME) for name in unknown[:MOST_NAMED]), LONGEST_NAMES
    )
    more = len(unknown) - MOST_NAMED
    if more > 0:
        names += ngettext(" and %(count)d more", " and %(count)d more", more) % {"count": more}
    return _("The address holds parameters that mean nothing here: %(names)s. They were left out.") % {"names": names}


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _read_ip(text: str) -> str:
    """The address in `1.2.3.4`, `1.2.3.4:567`, `::1` or `[::1]:567`, in its shortest form, or "".

    What IPv6 writes as `::ffff:1.2.3.4` is that IPv4 address: throttles take all of an IPv6 network for one.
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
