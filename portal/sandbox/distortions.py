"""Pages that are readable JSON and yet not what was promised: each takes a regular page and gives a wrong one."""

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


def _links_elsewhere(page: Json) -> Json:
    marker = page["meta"]["marker"]
    links = {"self": ELSEWHERE, "next": f"{ELSEWHERE}?marker={marker}", "previous": f"{ELSEWHERE}?marker={marker}"}
    return {**page, "links": links}


def _endless(page: Json) -> Json:
    """Always one more page. The page given here is always the first one, so the marker leads nowhere new."""
    return {
        **page,
        "meta": {**page["meta"], "has_more": True},
        "links": {**page["links"], "next": page["links"]["self"]},
    }


def _duplicates(page: Json) -> Json:
    return {**page, "instances": [each for each in page["instances"] for _ in range(2)]}


def _emptied(page: Json) -> Json:
    """No instance and no way on, and yet as many in all as ever."""
    return {"instances": [], "meta": {"total": page["meta"]["total"]}}


def _empty_page(page: Json) -> Json:
    """No instance on this page, but on those after it: as an API answers that filters after it has cut pages."""
    return {**page, "instances": []}


def _without_way_on(page: Json) -> Json:
    """Nothing says whether more follows."""
    return {**page, "meta": {**page["meta"], "has_more": None, "marker": None, "total": None}, "links": {}}


def _total(count: Callable[[int], int]) -> Callable[[Json], Json]:
    """A total that is wrong, made of the number of instances on the page."""
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


def _hostile(page: Json) -> Json:
    """Hostile text in every string but ids and times, in the keys of metadata and addresses, another in each row."""
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
    "hostile": _hostile,
}
