"""Pagination of events by id, so that new events don't shift the pages."""

from dataclasses import dataclass

from django.db.models import QuerySet

from portal.audit.models import Event


@dataclass(frozen=True)
class EventPage:
    """`older` and `newer` are the ids for the next pages, or None at the end."""

    events: tuple[Event, ...]
    older: int | None
    newer: int | None


def read_page(events: QuerySet[Event], *, before: int | None, after: int | None, size: int) -> EventPage:
    """Return `size` events, newest first: those before the id `before`, or else those after the id `after`."""
    if before is None and after is not None:
        found = list(events.filter(id__gt=after).order_by("id")[: size + 1])
        has_newer, has_older = len(found) > size, events.filter(id__lte=after).exists()
        page = tuple(reversed(found[:size]))
    else:
        older = events if before is None else events.filter(id__lt=before)
        found = list(older.order_by("-id")[: size + 1])
        has_older, has_newer = len(found) > size, before is not None and events.filter(id__gte=before).exists()
        page = tuple(found[:size])
    return EventPage(
        events=page,
        older=page[-1].pk if page and has_older else None,
        newer=page[0].pk if page and has_newer else None,
    )
