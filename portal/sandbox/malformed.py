"""Pages that are valid JSON but do not match the docs. Each function turns a regular page into a malformed one."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from portal.sandbox.filters import Json

ELSEWHERE = "https://elsewhere.invalid/v1/instances"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "{{ 7 * 7 }} {% debug %} ${7*7}",
    "=1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "tab\there, line\nbreak, return\r, bell\x07, escape\x1b[31m, null\x00",
    "right \u202e to left \u2066 isolate",
    "zero\u200bwidth \ufeff mark",
    "x" * 10_000,
    "%00%0a../../etc/passwd?a=1&b=2#c",
    "' OR 1=1 --",
)


# Field values that do not match the docs, one per record.
ODD_FIELDS: tuple[Mapping[str, Any], ...] = (
    {"fault": {"code": "500", "message": "No valid host was found"}},
    {"fault": {"code": "E-500", "message": "No valid host was found"}},
    {"metadata": []},
    {"metadata": {"cores": 4, "load": [1.5], "team": "web"}},
    {"tags": [None, "web"]},
    {"flavor": {"id": None, "name": "m1.odd", "vcpus": "two", "ram": 4096.0, "disk": "40"}},
    {"created_at": ""},
    {"created_at": "2024-01-15"},
    {"power_state": 1},
    {"name": "half \ud800 a pair"},
    {"id": 7},
    {"addresses": {"net": [{"addr": 4}, "10.0.0.4", {"addr": "10.0.0.5"}], "other": 6}},
    {"status": {"word": "ACTIVE"}},
    {"volumes_attached": {"0": "vda"}},
)
NO_RECORDS: tuple[Any, ...] = (None, 7, "instance", [], True)
MILLION = 1_000_000
TEN_MEGABYTES = 10 * 1024 * 1024
FAR_TOO_MANY = 50_000


def _links_elsewhere(page: Json) -> Json:
    marker = page["meta"]["marker"]
    links = {"self": ELSEWHERE, "next": f"{ELSEWHERE}?marker={marker}", "previous": f"{ELSEWHERE}?marker={marker}"}
    return {**page, "links": links}


def _endless(page: Json) -> Json:
    """There is always one more page. `page` is always the first one, so the marker leads nowhere new."""
    return {
        **page,
        "meta": {**page["meta"], "has_more": True},
        "links": {**page["links"], "next": page["links"]["self"]},
    }


def _duplicates(page: Json) -> Json:
    return {**page, "instances": [each for each in page["instances"] for _ in range(2)]}


def _emptied(page: Json) -> Json:
    """No instances and no next page, but the total is unchanged."""
    return {"instances": [], "meta": {"total": page["meta"]["total"]}}


def _empty_page(page: Json) -> Json:
    """No instances on this page, but on later ones, as in an API that filters after it has split the pages."""
    return {**page, "instances": []}


def _without_way_on(page: Json) -> Json:
    """Nothing says whether there are more."""
    return {**page, "meta": {**page["meta"], "has_more": None, "marker": None, "total": None}, "links": {}}


def _total(count: Callable[[int], int]) -> Callable[[Json], Json]:
    """A wrong total, computed from the number of instances on the page."""
    return lambda page: {**page, "meta": {**page["meta"], "total": count(len(page["instances"]))}}


def _unknown_status(page: Json) -> Json:
    return {**page, "instances": [{**each, "status": "MELTING", "task_state": None} for each in page["instances"]]}


def _without(name: str) -> Callable[[Json], Json]:
    def distort(page: Json) -> Json:
        return {key: value for key, value in page.items() if key != name}

    return distort


def _nulls(page: Json) -> Json:
    return {**page, "instances": [dict.fromkeys(each) for each in page["instances"]]}


def _null_page(page: Json) -> Json:
    return dict.fromkeys(page)


def _only_ids(page: Json) -> Json:
    return {**page, "instances": [{"id": each["id"]} for each in page["instances"]]}


def _wrong_types(page: Json) -> Json:
    return {**page, "instances": [{**each, "name": 7, "tags": "web", "flavor": []} for each in page["instances"]]}


def _odd_times(page: Json) -> Json:
    return {**page, "instances": [{**each, "created_at": "yesterday"} for each in page["instances"]]}


def _unknown_fields(page: Json) -> Json:
    more = {"locked": True, "host": {"name": "compute-7"}}
    return {**page, "instances": [{**each, **more} for each in page["instances"]], "region": "spo1"}


def _odd_records(page: Json) -> Json:
    """Every malformed record, as far as the page has room, in a malformed page."""
    odd = [each | dict(more) for each, more in zip(page["instances"], ODD_FIELDS, strict=False)]
    limit = str(page["meta"]["limit"])
    rest = page["instances"][len(odd) :]
    return {"instances": odd + rest, "meta": {**page["meta"], "limit": limit}, "links": []}


def _no_records(page: Json) -> Json:
    """The first few records are not instances."""
    return {**page, "instances": [*NO_RECORDS, *page["instances"][len(NO_RECORDS) :]]}


def _too_many(page: Json) -> Json:
    """Far more instances than requested, and no next page."""
    more = [{"id": f"{number:08x}-0000-4000-8000-000000000000", "name": f"{number}"} for number in range(FAR_TOO_MANY)]
    first = page["instances"]
    return {**page, "instances": [*first, *more[len(first) :]], "meta": {**page["meta"], "has_more": False}}


def _crowded(page: Json) -> Json:
    """A million tags on the first instance."""
    first, *rest = page["instances"]
    return {**page, "instances": [{**first, "tags": [f"t{number}" for number in range(MILLION)]}, *rest]}


def _overlong(page: Json) -> Json:
    """A status of ten megabytes on the first instance."""
    first, *rest = page["instances"]
    return {**page, "instances": [{**first, "status": "S" * TEN_MEGABYTES, "task_state": None}, *rest]}


def _hostile(page: Json) -> Json:
    """Hostile text in all strings except ids and times, and in keys of metadata and addresses; another in each row."""
    page = copy.deepcopy(page)
    for position, instance in enumerate(page["instances"]):
        text = HOSTILE[position % len(HOSTILE)]
        for name, value in instance.items():
            if name != "id" and not name.endswith("_at"):
                instance[name] = _filled(value, text)
        instance["description"] = text
        instance["metadata"] = {text: text}
        instance["addresses"] = {text: [row for rows in instance["addresses"].values() for row in rows]}
    return page


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return text
    if isinstance(value, list):
        return [_filled(each, text) for each in value]
    if isinstance(value, dict):
        return {key: each if key in {"id", "created"} else _filled(each, text) for key, each in value.items()}
    return value


DISTORTIONS: Mapping[str, Callable[[Json], Json]] = {
    "links-elsewhere": _links_elsewhere,
    "endless": _endless,
    "duplicates": _duplicates,
    "emptied": _emptied,
    "empty-page": _empty_page,
    "no-way-on": _without_way_on,
    "total-behind": _total(lambda shown: max(shown - 1, 0)),
    "total-negative": _total(lambda _: -1),
    "no-instances": _without("instances"),
    "no-meta": _without("meta"),
    "no-links": _without("links"),
    "null-page": _null_page,
    "nulls": _nulls,
    "only-ids": _only_ids,
    "wrong-types": _wrong_types,
    "odd-times": _odd_times,
    "unknown-fields": _unknown_fields,
    "unknown-status": _unknown_status,
    "odd-records": _odd_records,
    "no-records": _no_records,
    "too-many": _too_many,
    "crowded": _crowded,
    "overlong": _overlong,
    "hostile": _hostile,
}
