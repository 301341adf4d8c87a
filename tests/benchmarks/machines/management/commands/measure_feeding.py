"""`manage.py measure_feeding OF TO FILE`: feeds the index of the region TO with pages of instances of the region OF,
which it does not have, and then again. Writes the CPU milliseconds of a page into FILE, as JSON.
"""

import json
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.bycloud import BearerToken, InstancePage, decode_instance
from portal.fleet.feed import feed_page
from portal.fleet.models import Body, IndexedInstance
from portal.fleet.records import read_body
from portal.gateway import ApiSession, FetchedPage
from tests.benchmarks.servers import TOKEN

ROWS, PAGES = 100, 11


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        for name in ("of", "to", "file"):
            parser.add_argument(name)

    def handle(self, *_args: Any, of: str, to: str, file: str, **_options: Any) -> None:
        session = ApiSession(settings.BYCLOUD_REGIONS[to], BearerToken(TOKEN))
        rows = IndexedInstance.objects.filter(fleet__region=to)
        before = rows.count()
        # Fleets of the sandbox have instances in common.
        others = Body.objects.filter(instance__fleet__region=of)
        others = others.exclude(instance__instance_id__in=rows.values("instance_id"))
        sources = [read_body(body) for body in others.values_list("body", flat=True)[: ROWS * PAGES]]
        pages = [
            FetchedPage(session, InstancePage(tuple(map(decode_instance, part))), tuple(part), timezone.now())
            for part in (sources[start : start + ROWS] for start in range(0, len(sources), ROWS))
        ]
        again = [msgspec.structs.replace(page, fetched_at=page.fetched_at + timedelta(minutes=1)) for page in pages]
        found = {"new": median(map(measure, pages)), "unchanged": median(map(measure, again))}
        assert rows.count() == before + len(sources), "The pages were not new, or not written"
        Path(file).write_text(json.dumps(found), encoding="ascii")


def measure(page: FetchedPage) -> float:
    began_at = process_time()
    feed_page(page)
    return (process_time() - began_at) * 1000
