"""The form of one condition of a list: in a menu of the list, or without scripts on a page of its own."""

import re
from contextlib import suppress
from http import HTTPStatus

import msgspec
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django_htmx.http import push_url, retarget

from portal.bycloud import Region
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.fleet.matching import match_condition
from portal.fleet.query import (
    AGE_KEYS,
    METADATA,
    NUMBER_KEYS,
    Condition,
    Value,
    find_metadata_name,
    read_value,
    read_values,
    write_values,
)
from portal.fleet.values import KnownValues
from portal.gateway import ApiSession
from portal.instances.filter_choices import (
    FilterChoice,
    can_be_ticked,
    mark_chosen,
    open_fleet,
    read_choices,
    read_metadata_keys,
)
from portal.instances.filters import KEYS, Part, describe_key, list_keys, list_parts, replace_condition
from portal.instances.forms import InvalidListError, read_view
from portal.instances.indexed import read_known_values
from portal.instances.links import ListView, filter_url, find_forbidden_character, list_url
from portal.instances.views import find_shown, instances_view, open_session

LONGEST_KEY = 255
LONGEST_NUMBER = 3
# The places on a page that take the form.
_PLACE = re.compile(r"add-filter-form|filter-\d{1,3}-form")


class FilterForm(msgspec.Struct, frozen=True):
    """`typed` are the values that are not among the `choices`; it is None if there can be no others. `is_single`: one
    value, which cannot be excluded, because ByCloud itself applies it. `is_complete`: the numbers of the choices are of
    the whole fleet. `problem` says why the condition was not applied.
    """

    key: str
    label: str
    choices: tuple[FilterChoice, ...]
    typed: str | None
    hint: str
    is_excluded: bool
    is_single: bool
    is_complete: bool
    problem: str = ""


@instances_view(Capability.LIST_INSTANCES)
@require_safe
def filter_list(request: MemberRequest, region: Region) -> HttpResponse:
    """The form for the condition number `part` of the list `query`, or for another one for `key`; without both, the
    keys to choose from. With `is`, the form was submitted: redirect to the list with the condition.
    """
    session = open_session(request, region)
    given = request.GET
    known = read_known_values(session)
    # The name may have been typed since the form was made.
    shown = find_shown(request, region)
    query = given.get("query", "") if shown is None else shown.partition("?")[2]
    view = read_view(QueryDict(query), known=known)
    part = _find_part(list_parts(view, known), given)
    key = part.condition.key if part else _read_key(given)
    condition, problem = part.condition if part else Condition(key, ()), ""
    is_chosen = bool(key or part)
    if is_chosen and "is" in given:
        condition = _read_condition(key, given)
        try:
            return HttpResponseRedirect(list_url(region, _apply(session, view, condition, part, known)))
        except ValueError as error:
            problem = str(error)
    place = _find_place(request)
    context = {
        "region": region,
        "form": _build_form(session, condition, problem) if is_chosen else None,
        "filter_keys": () if is_chosen else _list_keys(session, given),
        "place": place,
        "keys_url": filter_url(region, view) if given.get("key") and not part else "",
        "part": given.get("part", "") if part else "",
        "query_string": view.to_query_string(),
        "back_url": list_url(region, view),
    }
    template = "instances/_filter_form.html" if place else "instances/filter.html"
    response = render(request, template, context, status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK)
    # What is submitted replaces the list, unless there is a problem. A form has no address of its own there.
    return push_url(retarget(response, f"#{place}"), False) if place else response


def _find_place(request: MemberRequest) -> str:
    """What htmx asks for, or the form that it has submitted. Empty for the whole page."""
    wanted = (request.htmx.target, request.htmx.trigger) if request.htmx else ()
    return next((place for place in wanted if place and _PLACE.fullmatch(place)), "")


def _find_part(parts: tuple[Part, ...], given: QueryDict) -> Part | None:
    """The condition that is changed: the one with this number, or for another value, the one of the key."""
    number, key = given.get("part", ""), given.get("key", "")
    if number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER:
        return parts[int(number)] if int(number) < len(parts) else None
    if key in {"", "tag"}:
        # Several of them may hold together.
        return None
    return next((part for part in parts if part.condition.key == key and not part.condition.is_excluded), None)


def _read_key(given: QueryDict) -> str:
    """A key that a condition can have; empty for all others."""
    key = given.get("key", "")
    is_name = bool(find_metadata_name(key)) and len(key) <= LONGEST_KEY and not find_forbidden_character(key)
    return key if key in KEYS or is_name else ""


def _list_keys(session: ApiSession, given: QueryDict) -> tuple[tuple[str, str], ...]:
    """The keys to choose from, as pairs of key and label: those of metadata for `meta.`, or else all."""
    metadata = tuple((each, describe_key(each)) for each in read_metadata_keys(session))
    return metadata if given.get("key") == METADATA else (*list_keys(), *metadata)


def _read_condition(key: str, given: QueryDict) -> Condition:
    chosen = tuple(Value(text) for text in given.getlist("value") if text)
    text = given.get("typed", "").strip()
    typed = read_values(text)
    if not key:
        # Words may contain anything, and are one text.
        typed = (read_value(text),) if text else ()
    return Condition(key, tuple(dict.fromkeys((*chosen, *typed))), is_excluded=given.get("is") == "not")


def _apply(session: ApiSession, view: ListView, new: Condition, old: Part | None, known: KnownValues) -> ListView:
    """The list with the condition. Raises `ValueError` with a sentence if there can be no such list."""
    changed = replace_condition(view, new, old=old, known=known)
    with suppress(DatabaseError):
        if new.values and (fleet := open_fleet(session)):
            match_condition(fleet, new, timezone.now())
    if not settings.FLEET_INDEX and changed.q and changed.q != view.q:
        raise ValueError(_("Without the index, a filter takes one value: of a flavor or an image, its ID."))
    try:
        return read_view(QueryDict(changed.to_query_string()), known=known)
    except InvalidListError as error:
        raise ValueError(next(iter(error.form.errors.values()))[0]) from None


def _build_form(session: ApiSession, condition: Condition, problem: str) -> FilterForm:
    key, values = condition.key, condition.values
    choices = read_choices(session, key)
    return FilterForm(
        key=key,
        label=describe_key(key),
        choices=mark_chosen(choices, key, values),
        typed=None if key == "is" else write_values(value for value in values if not can_be_ticked(key, value)),
        hint=_describe_hint(key),
        is_excluded=condition.is_excluded,
        is_single=not settings.FLEET_INDEX,
        is_complete=choices.is_complete,
        problem=problem,
    )


def _describe_hint(key: str) -> str:
    if key in NUMBER_KEYS:
        return _("Such as 8, >=8 or 4..8")
    if key in AGE_KEYS:
        return _("An age, such as <30d or 1d..1w")
    if key == "ip":
        return _("Addresses or networks, such as 10.16.0.0/16")
    return _("Comma-separated; web* begins with web") if settings.FLEET_INDEX and key else ""
