"""`manage.py walk_fleets`: reads the whole list of each credential into the index, with what the rate limit leaves.

Once, for a timer; or with `--forever`, as a process of its own beside the portal.
"""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils import timezone

from portal.credentials.vault import list_credentials
from portal.fleet.feed import find_fleet
from portal.fleet.models import Outcome
from portal.fleet.privacy import delete_orphans, delete_unused
from portal.fleet.walk import StepState, make_step
from portal.gateway import ApiSession

# Fleets that no member has looked at for so long are not walked by `--forever`.
LONGEST_IDLE = timedelta(days=2)
SHORTEST_SLEEP, LONGEST_SLEEP = 0.05, 5.0
CLEANED_EVERY = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Reads all instances of all credentials into the index, and deletes what no credential can see any more "
        "or no member has looked at for FLEET_KEEP_DAYS. With --forever it goes on, as fast as the rate limit allows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="go on until the process is stopped")

    def handle(self, *, forever: bool, **_options: Any) -> None:
        if forever:
            walk_forever()
            return
        delete_orphans()
        delete_unused()
        if not settings.FLEET_INDEX:
            self.stdout.write("FLEET_INDEX is off: there is no index, and what there was is deleted.")
            return
        for session in list_sessions():
            self.stdout.write(walk_once(session))


def list_sessions() -> list[ApiSession]:
    """One session for each fleet: credentials that are the same share it. Without those that are paused."""
    sessions = [
        ApiSession(region, found.credential)
        for region in settings.BYCLOUD_REGIONS.values()
        for found in list_credentials(region)
        if not found.row.pause
    ]
    return list({session.cache_namespace: session for session in sessions}.values())


def walk_once(session: ApiSession) -> str:
    """Walk until the pass that is under way or due has ended, or ByCloud stops it. Returns what came of it."""
    while True:
        step = make_step(session, is_urgent=True)
        fleet = find_fleet(session)
        if fleet is None or step.state in {StepState.STOPPED, StepState.OFF}:
            return f"{session.region.code}: not walked ({fleet.pause if fleet and fleet.pause else step.state})."
        walk = fleet.passes.order_by("-number").first()
        if walk and walk.outcome != Outcome.WALKING and not fleet.pause:
            return f"{fleet.region}: {walk.seen} instances on {walk.pages} pages, {Outcome(walk.outcome).label}."
        _sleep_until(step.due_at)


def walk_forever() -> None:
    cleaned_at = datetime.min.replace(tzinfo=UTC)
    while True:
        now = timezone.now()
        due_at = now + timedelta(seconds=LONGEST_SLEEP)
        try:
            if now - cleaned_at > CLEANED_EVERY:
                delete_orphans()
                delete_unused()
                cleaned_at = now
            due_at = min([due_at, *_walk_all_a_step(now)])
        except DatabaseError as error:
            log.warning("fleet_walks_delayed", error=type(error).__name__)
        if not connection.in_atomic_block:
            connection.close()
        _sleep_until(due_at)


def _walk_all_a_step(now: datetime) -> list[datetime]:
    """One step for each fleet that is used and whose time has come. Returns when the next ones are due."""
    due = []
    for session in list_sessions() if settings.FLEET_INDEX else []:
        fleet = find_fleet(session)
        if fleet is None or now - fleet.used_at < LONGEST_IDLE:
            due.append(make_step(session).due_at)
    return due


def _sleep_until(moment: datetime) -> None:
    seconds = (moment - timezone.now()).total_seconds()
    sleep(min(LONGEST_SLEEP, max(SHORTEST_SLEEP, seconds)))
