"""The fault table of docs/reliability.md: for each fault, the response time and what the member sees.

`python -m tests.benchmarks faults` measures all faults in one run, with the production deadline, and updates the docs.
"""

import html
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import msgspec
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken, Region
from portal.core.permissions import Role
from portal.sandbox.server import Sandbox
from tests.benchmarks.figures import format_table
from tests.benchmarks.servers import say
from tests.credentials.rows import keep
from tests.faults import SCRIPTED, Fault, open_regions
from tests.journeys.pages import LIST, Response, has_rows, refresh
from tests.memory import forget_everything
from tests.upstream import Upstream

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- The fault table begins -->", "<!-- The fault table ends -->"
HEADINGS = ("Faults", "Nothing seen before", "After at most", "Seen before", "After at most")


@contextmanager
def scripted(upstream: Upstream, fault: Fault) -> Iterator[None]:
    upstream.script(**{"times": None, **fault.script})
    yield
    upstream.clear()


@contextmanager
def led_astray(url: str) -> Iterator[None]:
    """By way of a proxy that is none: the region stays the one whose page was seen."""
    limits = settings.BYCLOUD_LIMITS
    settings.BYCLOUD_LIMITS = msgspec.structs.replace(limits, proxy=url)
    yield
    settings.BYCLOUD_LIMITS = limits


def sign_in() -> Client:
    """A browser with a member who keeps a credential, in a database of its own."""
    call_command("migrate", verbosity=0)
    member = Member.objects.create_user("otto", "otto@example.com", role=Role.OPERATOR)
    keep(member, BearerToken("sandbox-acme-token"))
    client = Client()
    client.force_login(member)
    return client


def measure() -> Iterator[list[str]]:
    """One line for each fault."""
    settings.PAGE_FRESH_SECONDS = 0
    # All the faults take more requests in a minute than the standard tier allows.
    settings.BYCLOUD_RATE_PER_MINUTE, settings.BYCLOUD_RATE_PER_HOUR = 1_000, 10_000
    client = sign_in()
    with Sandbox() as sandbox, open_regions() as places:
        settings.BYCLOUD_REGIONS = {"spo1": Region("spo1", sandbox.url)}
        upstream = Upstream(sandbox.url)
        for fault in SCRIPTED:
            yield [fault.name, *try_out(client, partial(scripted, upstream, fault))]
        for place in places:
            yield [place.name, *try_out(client, partial(led_astray, place.url))]


def try_out(client: Client, spoil: Callable[[], AbstractContextManager[None]]) -> Iterator[str]:
    """What is seen, and after how long: first by a member for whom nothing is cached, then in an open page."""
    for is_seen in (False, True):
        # Forgets the backoff that the last fault started.
        forget_everything()
        page = client.get(LIST) if is_seen else None
        with spoil():
            began_at = perf_counter()
            answer = refresh(client, page) if page else client.get(LIST)
            seconds = perf_counter() - began_at
        yield from (describe(answer), f"{seconds:.2f} s")


def describe(answer: Response) -> str:
    """What is on the page, in a few words."""
    if answer.status_code == 204:
        return "the rows: nothing has changed"
    title = re.search(r'class="alert-title">(.*?)</p>', answer.content.decode().partition('id="notice"')[2], re.DOTALL)
    said = f"“{html.unescape(re.sub(r'<[^>]+>', '', title[1])).strip()}”" if title else ""
    seen = ", ".join(filter(None, ("the rows" if has_rows(answer) else "", said)))
    return re.sub(r"\d\d:\d\d:\d\d", "14:31:07", seen)


def group(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    """Faults that look the same in one line, with the longest times."""
    alike: dict[tuple[str, str], list[list[str]]] = {}
    for line in lines:
        alike.setdefault((line[1], line[3]), []).append(line)
    for (first, later), rows in alike.items():
        names, _, seconds, _, seconds_later = zip(*rows, strict=True)
        longest = [max(column, key=lambda text: float(text.split()[0])) for column in (seconds, seconds_later)]
        yield [", ".join(names), first, longest[0], later, longest[1]]


def write(lines: Iterable[list[str]]) -> None:
    """Put the table in its place in the document."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    table = format_table(HEADINGS, lines)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    logging.disable(logging.ERROR)
    say("## Each fault: when the person has an answer, and what they see\n")
    lines = list(group(measure()))
    write(lines)
    say(f"{format_table(HEADINGS, lines)}\n")
