"""Context processor for the layout of every page: region, theme and permissions.

It makes no ByCloud requests.
"""

from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from portal import __version__
from portal.accounts.models import FirstPage, Member, Theme
from portal.accounts.sessions.services import make_stamp
from portal.bycloud import Region
from portal.core.permissions import Capability
from portal.environment import is_loopback
from portal.fleet.query import KEYS, METADATA
from portal.instances.examples import Example, list_examples

OVERVIEW = "overview:overview"
# By app: one instance is in one region only, so its page leads to the list of the other.
PAGES_OF_REGION = {"overview": OVERVIEW, "instances": "instances:list", "changes": "changes:list"}
DOCUMENTATION_URL = "https://docs.bycoded.cloud"
# Added to the ByCloud deadline, for the network and a busy server.
BEYOND_DEADLINE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """`can` has one entry per capability, named for templates: `frame.can.read_audit`.

    `stamp`: identifies the state the page was rendered for; sent with each request for a part of it.
    `page_of_region`: the name of the view that the menu of regions leads to.
    `patience_milliseconds`: the timeout of requests that the page makes. `has_index`: the search box searches the
    index.
    """

    regions: tuple[Region, ...]
    region: Region
    member: Member | None
    theme: str
    can: dict[str, bool]
    is_sandbox: bool
    idle_seconds: int
    patience_milliseconds: int
    stamp: str = ""
    page_of_region: str = "instances:list"
    has_index: bool = False
    search_examples: tuple[Example, ...] = ()
    search_keys: tuple[str, ...] = ()
    documentation_url: str = DOCUMENTATION_URL
    console_url: str = ""
    help_url: str = ""
    version: str = __version__


def frame(request: HttpRequest) -> dict[str, Frame]:
    """The context processor: adds `frame` to every template rendered with a request. Parts of pages have no use for it,
    so it is made when a template asks for it.
    """
    return {"frame": cast("Frame", SimpleLazyObject(partial(make_frame, request)))}


def make_frame(request: HttpRequest) -> Frame:
    regions = tuple(settings.BYCLOUD_REGIONS.values())
    region = find_region(request) or regions[0]
    user = getattr(request, "user", None)  # Not set if an earlier middleware rejected the request.
    member = user if isinstance(user, Member) else None
    return Frame(
        regions=regions,
        region=region,
        member=member,
        theme=member.theme if member else Theme.SYSTEM,
        can={capability.name.lower(): bool(member and member.can(capability)) for capability in Capability},
        is_sandbox=is_sandbox(region),
        idle_seconds=int(settings.SESSION_IDLE.total_seconds()),
        patience_milliseconds=int((settings.BYCLOUD_LIMITS.deadline_seconds + BEYOND_DEADLINE_SECONDS) * 1000),
        stamp=make_stamp(request) if member else "",
        page_of_region=name_page_of_region(request, member),
        has_index=settings.FLEET_INDEX,
        search_examples=list_examples(region, get_language()) if member and settings.FLEET_INDEX else (),
        search_keys=(*KEYS, f"{METADATA}team"),
        console_url=settings.BYCLOUD_CONSOLE_URL,
        help_url=settings.HELP_URL,
    )


def name_first_page(member: Member | None) -> str:
    """The view that opens first in a region. Without an index there is no overview."""
    has_overview = settings.FLEET_INDEX and member and member.first_page == FirstPage.OVERVIEW
    return OVERVIEW if has_overview else "instances:list"


def name_page_of_region(request: HttpRequest, member: Member | None) -> str:
    """The view that shows of another region what this page shows of one, or else what opens first."""
    match = request.resolver_match
    return (match and PAGES_OF_REGION.get(match.app_name)) or name_first_page(member)


def find_region(request: HttpRequest) -> Region | None:
    """The region in the URL, if any."""
    region = request.resolver_match.kwargs.get("region") if request.resolver_match else None
    return region if isinstance(region, Region) else None


def is_sandbox(region: Region) -> bool:
    """Whether the region is on loopback, which means that it is the sandbox."""
    return is_loopback(urlsplit(region.base_url).hostname or "")
