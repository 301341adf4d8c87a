"""Writes pages into the index. Every write starts with a lock on its fleet, so that there is one at a time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from portal.bycloud import Instance, decode_instance
from portal.fleet.models import Body, ChangeKind, Facet, IndexedFleet, IndexedInstance, ObservedChange, Term
from portal.fleet.records import (
    REF_KEYS,
    Record,
    find_id,
    list_facts,
    make_digest,
    make_record,
    pack_body,
    read_body,
)
from portal.gateway import FetchedPage

# Instances or keys in one statement: databases limit its size.
AT_ONCE = 100
# By hand, because there are some 15 for each instance: half of the time of a new page with `bulk_create`.
_INSERT_FACET = "INSERT INTO fleet_facet (term_id, instance_id) VALUES (%s, %s)"
# What an update leaves as it is.
_KEPT = {"fleet_id", "instance_id", "first_seen"}


class PageCount(NamedTuple):
    """What a page held: instances that this walk had not seen yet, and those that it had."""

    new: int
    again: int


class _Known(NamedTuple):
    """An instance as the index has it."""

    pk: int
    digest: bytes
    last_seen: datetime
    walked: int
    first_seen: datetime
    gone_at: datetime | None


class _Sighting(NamedTuple):
    instance: Instance
    source: bytes
    digest: bytes


def write_page(fleet: IndexedFleet, page: FetchedPage, *, walked: int | None = None) -> PageCount:
    """Write what has changed, stamp the rest, and record the changes. The caller holds the lock on the fleet.

    `walked` is the number of the pass that has fetched the page, if one has. A page that is older than what is known of
    an instance changes nothing of it. Instances without a usable id are counted as new, and not written.
    """
    given = page.page.instances or ()
    sightings: dict[str, _Sighting] = {}
    unnamed = 0
    for instance, source in zip(given, page.sources, strict=True):
        instance_id = find_id(instance)
        if instance_id:
            sightings.setdefault(instance_id, _Sighting(instance, source, make_digest(source)))
        else:
            unnamed += 1
    known = _read_known(fleet, sightings)
    fresh = [
        instance_id
        for instance_id, sighting in sightings.items()
        if instance_id not in known or _is_news(known[instance_id], sighting, page.fetched_at)
    ]
    _stamp([one.pk for instance_id, one in known.items() if instance_id not in set(fresh)], page.fetched_at, walked)
    for start in range(0, len(fresh), AT_ONCE):
        part = {instance_id: sightings[instance_id] for instance_id in fresh[start : start + AT_ONCE]}
        _write(fleet, part, known, page.fetched_at, walked)
    fleet.revision += 1
    fleet.save(update_fields=["revision"])
    again = sum(one.walked == walked for one in known.values())
    new = len(sightings) - again + unnamed
    return PageCount(new=new, again=len(given) - new)


def _is_news(known: _Known, sighting: _Sighting, seen_at: datetime) -> bool:
    """Whether the instance has changed, or is back after it was gone."""
    return known.last_seen <= seen_at and (known.digest != sighting.digest or known.gone_at is not None)


def _stamp(pks: list[int], seen_at: datetime, walked: int | None) -> None:
    """Write that instances that have not changed were seen."""
    if walked is not None:
        IndexedInstance.objects.filter(pk__in=pks).update(walked=walked)
    older = IndexedInstance.objects.filter(pk__in=pks, last_seen__lt=seen_at)
    older.update(last_seen=seen_at, missing_at=None, gone_at=None)


def _read_known(fleet: IndexedFleet, ids: Iterable[str]) -> dict[str, _Known]:
    rows = IndexedInstance.objects.filter(fleet=fleet, instance_id__in=list(ids)).values_list(
        "instance_id", "pk", "digest", "last_seen", "walked", "first_seen", "gone_at"
    )
    return {row[0]: _Known(row[1], bytes(row[2]), *row[3:]) for row in rows}


def _write(
    fleet: IndexedFleet,
    fresh: Mapping[str, _Sighting],
    known: Mapping[str, _Known],
    seen_at: datetime,
    walked: int | None,
) -> None:
    records = {instance_id: make_record(one.instance, one.source) for instance_id, one in fresh.items()}
    _record_changes(fleet, fresh, known, seen_at)
    rows = [
        {
            "fleet_id": fleet.pk,
            "instance_id": instance_id,
            "digest": fresh[instance_id].digest,
            "first_seen": known[instance_id].first_seen if instance_id in known else seen_at,
            "last_seen": seen_at,
            "walked": (known[instance_id].walked if instance_id in known else 0) if walked is None else walked,
            "missing_at": None,
            "gone_at": None,
            **record.columns,
        }
        for instance_id, record in records.items()
    ]
    _upsert("fleet_indexedinstance", ("fleet_id", "instance_id"), rows)
    found = IndexedInstance.objects.filter(fleet=fleet, instance_id__in=list(records))
    pks = dict(found.values_list("instance_id", "pk"))
    _upsert(
        "fleet_text",
        ("instance_id",),
        [{"instance_id": pks[instance_id], "text": record.text} for instance_id, record in records.items()],
    )
    _upsert(
        "fleet_body",
        ("instance_id",),
        [{"instance_id": pks[instance_id], "body": pack_body(one.source)} for instance_id, one in fresh.items()],
    )
    _write_facets(fleet, {pks[instance_id]: record for instance_id, record in records.items()}, known)


def _upsert(table: str, unique: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, or update those whose `unique` columns are there already. All have the same columns.

    By hand, because `bulk_create` prepares each of the 3,500 values of a new page: a fifth of its time.
    """
    names = list(rows[0])
    columns, places = ", ".join(names), ", ".join(["%s"] * len(names))
    updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in _KEPT)
    adapt = connection.ops.adapt_datetimefield_value
    values = [[adapt(value) if isinstance(value, datetime) else value for value in row.values()] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 -- names are the index's own
            f" ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {updates}",
            values,
        )


def _write_facets(fleet: IndexedFleet, records: Mapping[int, Record], known: Mapping[str, _Known]) -> None:
    terms = _find_terms(fleet, records.values())
    wanted = {(terms[term], pk) for pk, record in records.items() for term in record.terms}
    before = [one.pk for one in known.values() if one.pk in records]
    had = set(Facet.objects.filter(instance__in=before).values_list("term_id", "instance_id")) if before else set()
    lost: dict[int, list[int]] = {}
    for term_id, pk in had - wanted:
        lost.setdefault(pk, []).append(term_id)
    for pk, term_ids in lost.items():
        Facet.objects.filter(instance=pk, term__in=term_ids).delete()
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_FACET, sorted(wanted - had))


def _find_terms(fleet: IndexedFleet, records: Iterable[Record]) -> dict[tuple[str, str], int]:
    """The primary key of each term of the records. Those that do not exist are made."""
    shown = {term: "" if text == term[1] else text for record in records for term, text in record.terms.items()}
    by_key: dict[str, list[str]] = {}
    for key, value in shown:
        by_key.setdefault(key, []).append(value)
    found: dict[tuple[str, str], int] = {}
    keys = list(by_key)
    for start in range(0, len(keys), AT_ONCE):
        alternatives = [Q(key=key, value__in=by_key[key]) for key in keys[start : start + AT_ONCE]]
        rows = Term.objects.filter(reduce(or_, alternatives), fleet=fleet).values_list("key", "value", "pk", "shown")
        for key, value, pk, before in rows:
            found[key, value] = pk
            # A flavor or an image may get another name.
            if key in REF_KEYS and shown[key, value] not in {"", before}:
                Term.objects.filter(pk=pk).update(shown=shown[key, value])
    made = Term.objects.bulk_create(
        [
            Term(fleet=fleet, key=key, value=value, shown=text)
            for (key, value), text in shown.items()
            if (key, value) not in found
        ]
    )
    return found | {(term.key, term.value): term.pk for term in made}


def _record_changes(
    fleet: IndexedFleet, fresh: Mapping[str, _Sighting], known: Mapping[str, _Known], seen_at: datetime
) -> None:
    bodies = dict(
        Body.objects.filter(instance__in=[known[each].pk for each in fresh if each in known]).values_list(
            "instance_id", "body"
        )
    )
    changes = []
    for instance_id, sighting in fresh.items():
        facts = list_facts(sighting.instance)
        row = known.get(instance_id)
        if row is None or row.gone_at:
            differences = [(ChangeKind.APPEARED, "", "")] if fleet.baseline_at else []
            since = row.last_seen if row else fleet.completed_at
        else:
            before = list_facts(decode_instance(read_body(bodies[row.pk])))
            differences = [(kind, before[kind], fact) for kind, fact in facts.items() if before[kind] != fact]
            since = row.last_seen
        changes += [
            ObservedChange(
                fleet=fleet,
                instance_id=instance_id,
                name=facts[ChangeKind.NAME][:255],
                kind=kind,
                before=old,
                after=new,
                since=since,
                until=seen_at,
            )
            for kind, old, new in differences
        ]
    ObservedChange.objects.bulk_create(changes)
