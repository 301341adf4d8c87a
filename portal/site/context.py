"""What the frame of every page needs: the region, the theme, what the person may do.

It knows nothing of ByCloud's answers.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from portal import __version__
from portal.accounts.models import Member, Theme
from portal.accounts.sessions.services import make_stamp
from portal.bycloud import Region
from portal.core.permissions import Capability
from portal.environment import is_loopback

# The portal answers within the deadline; the rest is the network's, and a busy machine's.
BEYOND_DEADLINE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """`can` has one entry for each capability, in template spelling: `frame.can.read_audit`.

    `stamp`: what the page is made for; it goes along with each request for a part of it.
    `patience_milliseconds`: how long a page waits for an answer of the portal's before it gives up.
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
    version: str = __version__


def frame(request: HttpRequest) -> dict[str, Frame]:
    """The context processor: `frame` in every template that is rendered with a request."""
    regions = tuple(settings.BYCLOUD_REGIONS.values())
    region = find_region(request) or regions[0]
    user = getattr(request, "user", None)  # A request refused early never met the session.
    member = user if isinstance(user, Member) else None
    return {
        "frame": Frame(
            regions=regions,
            region=region,
            member=member,
            theme=member.theme if member else Theme.SYSTEM,
            can={capability.name.lower(): bool(member and member.can(capability)) for capability in Capability},
            is_sandbox=is_sandbox(region),
            idle_seconds=int(settings.SESSION_IDLE.total_seconds()),
            patience_milliseconds=int((settings.BYCLOUD_LIMITS.deadline_seconds + BEYOND_DEADLINE_SECONDS) * 1000),
            stamp=make_stamp(request) if member else "",
        )
    }


def find_region(request: HttpRequest) -> Region | None:
    """The region that the URL names, if it names one."""
    region = request.resolver_match.kwargs.get("region") if request.resolver_match else None
    return region if isinstance(region, Region) else None


def is_sandbox(region: Region) -> bool:
    """Whether the region is served by this very machine, which only the sandbox is."""
    return is_loopback(urlsplit(region.base_url).hostname or "")
