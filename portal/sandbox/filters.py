"""Parses the parameters of a list request, and matches instances against its filters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
PARAMETERS = ("limit", "marker", "name", "status", "tags", "flavor_id", "image_id")


class ParameterError(ValueError):
    """An invalid parameter; the message is the `details` of the 400."""


@dataclass(frozen=True)
class Filters:
    """All filters must match (AND). `status` is case-insensitive, `name` is not; all tags must be present."""

    name: str | None = None
    status: str | None = None
    tags: frozenset[str] = frozenset()
    flavor_id: str | None = None
    image_id: str | None = None

    def matches(self, instance: Json) -> bool:
        """Whether the instance, in the form of the response, matches."""
        return self.matches_name(instance["name"]) and self.matches_traits(
            status=instance["status"],
            tags=instance["tags"],
            flavor=instance["flavor"],
            image=instance["image"],
        )

    def matches_name(self, name: Any) -> bool:
        if self.name is None:
            return True
        if not isinstance(name, str):
            return False
        return name.startswith(self.name[:-1]) if self.name.endswith("*") else name == self.name

    def matches_traits(
        self,
        *,
        status: Any,
        tags: Any,
        flavor: Any,
        image: Any,
    ) -> bool:
        """All filters except the name. A field that a test has set to an invalid value matches no filter."""
        return (
            (self.status is None or str(status).casefold() == self.status.casefold())
            and self.tags <= frozenset(filter(_is_text, tags if isinstance(tags, list | tuple) else ()))
            and (self.flavor_id is None or _id_of(flavor) == self.flavor_id)
            and (self.image_id is None or _id_of(image) == self.image_id)
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else None


@dataclass(frozen=True)
class ListQuery:
    """A parsed list request. `given` has the parameters as they were sent, for the links."""

    filters: Filters
    limit: int
    marker: str | None
    given: Mapping[str, str]


def parse_query(query: str, *, largest: int = LARGEST_LIMIT, refuses_larger: bool = False) -> ListQuery:
    """Parse a query string. If a parameter is repeated, the first value counts; unknown ones are ignored.

    A `limit` above `largest` is reduced to it, unless `refuses_larger`. Raises `ParameterError`.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=1000):
        if name in PARAMETERS:
            given.setdefault(name, value)
    tags = frozenset(filter(None, (tag.strip() for tag in given.get("tags", "").split(","))))
    filters = Filters(
        name=given.get("name") or None,
        status=given.get("status") or None,
        tags=tags,
        flavor_id=_read_uuid(given, "flavor_id"),
        image_id=_read_uuid(given, "image_id"),
    )
    return ListQuery(
        filters=filters,
        limit=_read_limit(given.get("limit"), largest, refuses_larger=refuses_larger),
        marker=_read_uuid(given, "marker"),
        given=given,
    )


def _read_limit(text: str | None, largest: int, *, refuses_larger: bool) -> int:
    if text is None:
        return min(DEFAULT_LIMIT, largest)
    digits = text.lstrip("0")
    if not text.isascii() or not text.isdigit() or not digits:
        raise ParameterError("Field 'limit' must be a whole number from 1 up")
    limit = largest + 1 if len(digits) > len(str(largest)) else int(digits)
    if limit > largest and refuses_larger:
        raise ParameterError(f"Field 'limit' must be at most {largest}")
    return min(limit, largest)


def _read_uuid(given: Mapping[str, str], name: str) -> str | None:
    text = given.get(name)
    if text is None:
        return None
    if not UUID.fullmatch(text.lower()):
        raise ParameterError(f"Field '{name}' must be a UUID")
    return text.lower()
