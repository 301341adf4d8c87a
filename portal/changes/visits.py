"""Where "since my last visit" begins."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from portal.accounts.models import Member
from portal.bycloud import Region
from portal.changes.models import Visit
from portal.fleet.feed import hurried

# A page that is opened again earlier belongs to the same visit.
VISIT_GAP = timedelta(minutes=30)
# The visit that goes on is not written more often.
STEP = timedelta(minutes=1)


def find_visit(member: Member, region: Region) -> Visit | None:
    return Visit.objects.filter(member=member, region=region.code).first()


def note_visit(member: Member, region: Region, newest: int) -> Visit:
    """The member opens the page now, and the change that was recorded last has the number `newest`.

    After `VISIT_GAP`, it is another visit. Two pages that are opened at once are the same one. Waits for other writers
    only briefly, and raises `DatabaseError` if they do not end.
    """
    now, visit = timezone.now(), find_visit(member, region)
    if visit and now - visit.seen_at < STEP:
        return visit
    with hurried(), transaction.atomic():
        if visit is None:
            given = {"seen_at": now, "seen": newest}
            return Visit.objects.get_or_create(member=member, region=region.code, defaults=given)[0]
        # Nothing, if another page was faster.
        same = Visit.objects.filter(pk=visit.pk, seen_at=visit.seen_at)
        if now - visit.seen_at < VISIT_GAP:
            same.update(seen_at=now, seen=newest)
        else:
            same.update(seen_at=now, seen=newest, since_at=visit.seen_at, since=visit.seen)
    return find_visit(member, region) or visit
