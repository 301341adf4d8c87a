"""Instances side by side: their fields, which of them differ, and the page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from portal.bycloud import Instance, Region, list_unreadable
from portal.core.filters import gigabytes, mebibytes, shorten
from portal.core.numbers import number_text
from portal.core.request import MemberRequest
from portal.fleet.lookup import find_sighting
from portal.fleet.status import State, derive_state
from portal.gateway import ApiSession, FetchFailed, read_meter
from portal.instances.columns import COLUMNS, FIRST, Kind, Value, list_titles
from portal.instances.errors import ErrorNotice, describe
from portal.instances.index_status import IndexStatus, describe_coverage
from portal.instances.indexed import IndexUnavailableError, measure_coverage, open_index
from portal.instances.links import (
    DetailQuery,
    ListView,
    can_be_hint,
    compare_url,
    instance_url,
    list_url,
    raw_url,
)
from portal.instances.live import describe_usage
from portal.instances.lookup import Absence, FoundInstance, InstanceNotFoundError, describe_sighting, find_instance
from portal.instances.pages import Page, respond
from portal.instances.services import is_late

MOST_METADATA = 100
MOST_ENTRIES = 30
LONGEST_LABEL = 24
_FORMATS: dict[Kind, Callable[[int], str]] = {"count": number_text, "mebibytes": mebibytes, "gigabytes": gigabytes}


class Compared(msgspec.Struct, frozen=True):
    """An instance, when it was seen, and whether it is still there. `id` is in lower case. `name` is cut, and `label`
    is cut to stand beside each value on a narrow screen.
    """

    id: str
    name: str
    label: str
    instance: Instance
    seen_at: datetime
    absence: Absence | None
    url: str
    raw_url: str


class FieldValue(NamedTuple):
    """What an instance has in a field: `texts`, a `moment`, or its `state`."""

    texts: tuple[str, ...] = ()
    moment: datetime | None = None
    state: State | None = None
    is_unreadable: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(map(shorten, self.texts[:MOST_ENTRIES]))

    @property
    def hidden(self) -> int:
        return len(self.texts) - len(self.shown)


class Field(NamedTuple):
    """A row of the comparison, with a cell for each instance. `is_data`: its name comes from ByCloud."""

    name: str
    kind: Kind
    cells: tuple[FieldValue, ...]
    differs: bool
    is_data: bool = False


class Findings(NamedTuple):
    """The instances that were found, and the ids of the others. `coverage` is what the index has; None without one.
    `is_over`: the others are nowhere, and not just among what was not read yet.
    """

    compared: tuple[Compared, ...]
    unknown: tuple[str, ...]
    coverage: IndexStatus | None = None
    is_over: bool = True
    notice: ErrorNotice | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonPage(Page):
    """`other_url` shows all fields, or only those that differ (`only_differences`). `problem` names the error of a
    failed request. `is_over`: all was searched for the `unknown`.
    """

    back_url: str
    other_url: str
    only_differences: bool
    compared: tuple[Compared, ...]
    unknown: tuple[str, ...]
    is_over: bool
    fields: tuple[Field, ...]
    differences: str
    problem: str

    def title(self) -> str:
        names = ", ".join(each.name for each in self.compared)
        return f"{names} – {_('Compare instances')}" if names else _("Compare instances")


def answer_comparison(
    request: MemberRequest, session: ApiSession, ids: Sequence[str], *, only_differences: bool, back: ListView
) -> HttpResponse:
    region = session.region
    found = _find(session, ids, back)
    fields = compare_fields([one.instance for one in found.compared])
    count = sum(field.differs for field in fields)
    page = ComparisonPage(
        region=region,
        back_url=list_url(region, back),
        other_url=compare_url(region, ids, only_differences=not only_differences, back=back),
        only_differences=only_differences,
        compared=found.compared,
        unknown=found.unknown,
        is_over=found.is_over,
        fields=tuple(field for field in fields if field.differs) if only_differences else fields,
        differences=ngettext("%(count)d field differs", "%(count)d fields differ", count) % {"count": count},
        index=found.coverage,
        notice=found.notice,
        problem=found.notice.title if found.notice else "",
        rate_limit=describe_usage(read_meter(session)),
    )
    return respond(request, "instances/compare.html", page, target="")


def compare_fields(instances: Sequence[Instance]) -> tuple[Field, ...]:
    """All columns of the list but the name, and each key of the metadata. Lists are equal in any order."""
    titles = list_titles(get_language())
    unreadable = [list_unreadable(instance) for instance in instances]
    fields = []
    for name, column in COLUMNS.items():
        if name in {FIRST, "metadata"}:
            continue
        cells = []
        for instance, broken in zip(instances, unreadable, strict=True):
            if column.is_unreadable(broken):
                cells.append(FieldValue(is_unreadable=True))
            elif name == "state":
                cells.append(FieldValue(state=derive_state(instance)))
            else:
                cells.append(_make_cell(column.read(instance), column.kind))
        # The list shows an age; side by side, the time itself says more.
        title = _("Created") if name == "age" else titles[name]
        fields.append(Field(title, column.kind, tuple(cells), _differ(cells)))
    keys = dict.fromkeys(key for instance in instances for key in instance.metadata or ())
    for key in list(keys)[:MOST_METADATA]:
        cells = [_make_cell((instance.metadata or {}).get(key)) for instance in instances]
        fields.append(Field(key, "text", tuple(cells), _differ(cells), is_data=True))
    return tuple(fields)


def _make_cell(value: Value, kind: Kind = "text") -> FieldValue:
    if isinstance(value, tuple):
        return FieldValue(texts=value)
    if isinstance(value, datetime):
        return FieldValue(moment=value)
    if isinstance(value, int):
        return FieldValue(texts=(_FORMATS[kind](value),))
    return FieldValue(texts=(value,) if value else ())


def _differ(cells: Iterable[FieldValue]) -> bool:
    return len({(frozenset(cell.texts), cell.moment, cell.state, cell.is_unreadable) for cell in cells}) > 1


def _find(session: ApiSession, ids: Sequence[str], back: ListView) -> Findings:
    """From the index, with no request but the walk's. Where it cannot be read, as an instance's page finds them, but
    all of them together in the time that one may take.
    """
    try:
        with open_index(session, is_refresh=False) as index:
            sightings = {each: find_sighting(session, each) for each in ids}
            coverage = measure_coverage(index)
        found = {each: describe_sighting(one) for each, one in sightings.items() if one}
        findings = _build_findings(session.region, ids, found, back)
        return findings._replace(coverage=describe_coverage(coverage), is_over=coverage.is_complete)
    except IndexUnavailableError:
        pass
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    found, notice, is_over = {}, None, True
    for each in ids:
        if is_late(ends_at):
            is_over = False
            break
        try:
            found[each] = find_instance(session, each)
        except InstanceNotFoundError as missing:
            is_over = is_over and missing.is_over
        except FetchFailed as failure:
            notice = describe(failure.error, read_meter(session))
            break
    return _build_findings(session.region, ids, found, back)._replace(is_over=is_over, notice=notice)


def _build_findings(region: Region, ids: Sequence[str], found: Mapping[str, FoundInstance], back: ListView) -> Findings:
    """In the order in which they were selected."""
    compared = []
    for each in ids:
        if each in found:
            cached = found[each].cached
            instance = cached.value.instance
            name = instance.name if can_be_hint(instance.name or "") else None
            compared.append(
                Compared(
                    id=each,
                    name=shorten(instance.name or each),
                    label=(instance.name or each)[:LONGEST_LABEL],
                    instance=instance,
                    seen_at=cached.fetched_at,
                    absence=found[each].absence,
                    url=instance_url(region, each, DetailQuery(name=name, back=back.to_query_string())),
                    raw_url=raw_url(region, each, name=name),
                )
            )
    return Findings(tuple(compared), tuple(each for each in ids if each not in found))
