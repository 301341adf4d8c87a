"""What a page of ByCloud's list says of the whole: what comes before and after it, and how many there are.

The docs leave open what `meta` and `links` hold at the ends, so each is taken for what it says only if the rest agrees.
"""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec

from portal.bycloud.queries import InstanceQuery
from portal.bycloud.resources import Instance, InstancePage

LONGEST_LINK = 4096


class PagePosition(msgspec.Struct, frozen=True):
    """The position of a page: the marker of the page before it (None: the first page) and its first row's position."""

    previous_marker: str | None
    first_position: int | None


def find_total(
    page: InstancePage, query: InstanceQuery, next_marker: str | None, first_position: int | None
) -> int | None:
    """The size of the list, if the response is consistent about it; None if it is not known."""
    meta = page.meta
    total = meta.total if meta and meta.total is not None and meta.total >= 0 else None
    last = (first_position or 1) - 1 + len(page.instances or ())
    if total is not None and total < last:
        # It has changed since, or it is the total of the page.
        total = None
    has_more = meta.has_more if meta else None
    is_end = first_position is not None and next_marker is None and not has_more
    if total is None or (query.has_filters and has_more is False):
        # Counting to the end is reliable: it is not documented whether the total takes filters into account.
        return last if is_end else total
    return total


def says_more(page: InstancePage, query: InstanceQuery) -> bool:
    """Whether ByCloud says that there are more, even without a next page. After a marker, the total does not tell."""
    meta = page.meta
    total = meta.total if meta and meta.has_more is None and query.marker is None else None
    return has_next(page) or (total or 0) > len(page.instances or ())


def has_next(page: InstancePage) -> bool:
    """Whether ByCloud says that a page follows. Ignores the total, which may be outdated or unfiltered."""
    has_more = page.meta.has_more if page.meta else None
    return bool(page.links and page.links.next) if has_more is None else has_more


def find_next_marker(page: InstancePage, query: InstanceQuery, limit: int, first_position: int | None) -> str | None:
    """The marker of the next page, from whichever of `meta`, `links` and the rows has it; None at the end.

    A cursor that points at itself counts as the end, since following it would never stop.
    """
    instances = page.instances or ()
    has_more = page.meta.has_more if page.meta else None
    linked = _marker_in(page.links.next) if page.links else None
    if has_more is False or (has_more is None and linked is None and not _seems_cut(page, limit, first_position)):
        return None
    marker = linked or _checked(page.meta.marker if page.meta else None) or find_last_id(instances)
    return None if marker == query.marker else marker


def find_last_id(instances: tuple[Instance, ...]) -> str | None:
    """The id of the last row with a valid one. Rows after it come again on the next page; none is skipped."""
    return next(filter(None, (_checked(instance.id) for instance in reversed(instances))), None)


def _seems_cut(page: InstancePage, limit: int, first_position: int | None) -> bool:
    """Whether more may follow although the response does not say so: the page is full, and total and links allow it."""
    instances, links = page.instances or (), page.links
    if len(instances) < limit:
        return False
    total = page.meta.total if page.meta else None
    if total is not None and total >= 0 and first_position:
        return total != first_position - 1 + len(instances)
    return not (links and (links.self or links.previous))


def find_previous(page: InstancePage, query: InstanceQuery, position: PagePosition | None) -> tuple[bool, str | None]:
    """Whether there is a previous page, and its marker (None: the first page).

    The position that this portal has stored comes first, because the meaning of `links.previous` is not documented.
    """
    if query.marker is None:
        return False, None
    if position:
        return True, position.previous_marker
    link = page.links.previous if page.links else None
    return bool(link), _marker_in(link)


def find_cut(page: InstancePage, limit: int) -> int | None:
    """The page size that ByCloud has reduced the page to, if the page is full and may continue; otherwise None."""
    given, has_more = (page.meta.limit, page.meta.has_more) if page.meta else (None, None)
    is_cut = given is not None and 0 < given < limit and given == len(page.instances or ()) and has_more is not False
    return given if is_cut else None


def _marker_in(link: str | None) -> str | None:
    """The marker in one of ByCloud's links, if it is a UUID. The link itself is never followed."""
    if not link or len(link) > LONGEST_LINK:
        return None
    try:
        return _checked(parse_qs(urlsplit(link).query).get("marker", [None])[-1])
    except ValueError:
        return None


def _checked(marker: str | None) -> str | None:
    try:
        return str(UUID(marker)) if marker else None
    except ValueError:
        return None
