"""The columns of the list.

Depends on ByCloud's instances and on the column names in URLs, but not on HTML or requests.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.bycloud import Instance, list_addresses, list_mac_addresses
from portal.fleet.status import derive_state

# How a value is shown. `own`: by what the table's template has for this column. `text` and `code` show one value,
# `texts` and `codes` a tuple of strings (each of `codes` can be copied), `moment` a datetime, the others a number.
Kind = Literal["own", "text", "texts", "code", "codes", "moment", "count", "mebibytes", "gigabytes"]
QUANTITIES = frozenset({"count", "mebibytes", "gigabytes"})
# How wide a column of a kind is at least, in half rems: each step that is used has a class `w-…` in components.css.
_WIDTHS: Mapping[Kind, int] = {
    "text": 26,
    "texts": 20,
    "code": 15,
    "codes": 38,
    "moment": 13,
    "count": 9,
    "mebibytes": 9,
    "gigabytes": 9,
}
Value = str | int | datetime | tuple[str, ...] | None


class Column(msgspec.Struct, frozen=True):
    """`name` is used in URLs and preferences; `read` returns the value to show. `own_width` is for a column that is not
    as wide as others of its kind.

    Exports use ByCloud's own names and raw values: `field` is the column header there, if it is not `name`, and
    `read_raw` returns the value where `read` returns a text for people. `fields` are the instance fields that the
    column uses, if it is not just the exported one.
    """

    name: str
    title: Promise
    kind: Kind
    read: Callable[[Instance], Value]
    is_default: bool = False
    field: str = ""
    read_raw: Callable[[Instance], Value] | None = None
    fields: tuple[str, ...] = ()
    own_width: int = 0

    @property
    def width(self) -> int:
        """In half rems; what a wider table has left over is shared in proportion."""
        return self.own_width or _WIDTHS[self.kind]

    def is_unreadable(self, unreadable: frozenset[str]) -> bool:
        """Whether the column uses one of these fields."""
        return not unreadable.isdisjoint(self.fields or (self.field or self.name,))


def _list_volumes(instance: Instance) -> tuple[str, ...]:
    return tuple(volume.id for volume in instance.volumes_attached or () if volume.id)


def _list_metadata(instance: Instance) -> tuple[str, ...]:
    return tuple(f"{key}={value or ''}" for key, value in (instance.metadata or {}).items())


def _read_flavor(part: str) -> Callable[[Instance], Any]:
    return lambda instance: getattr(instance.flavor, part) if instance.flavor else None


_ALL = (
    Column("name", _("Name"), "own", lambda one: one.name, is_default=True, fields=("name", "id"), own_width=19),
    Column(
        "state",
        _("State"),
        "own",
        lambda one: derive_state(one).word,
        is_default=True,
        field="status",
        read_raw=lambda one: one.status,
        fields=("status", "power_state", "task_state", "vm_state", "fault"),
        own_width=18,
    ),
    Column("addresses", _("IP addresses"), "own", list_addresses, is_default=True, own_width=18),
    Column(
        "flavor",
        _("Flavor"),
        "own",
        lambda one: (one.flavor.name or one.flavor.id) if one.flavor else None,
        is_default=True,
        field="flavor.name",
        read_raw=_read_flavor("name"),
        fields=("flavor",),
        own_width=20,
    ),
    Column(
        "image",
        _("Image"),
        "own",
        lambda one: (one.image.name or one.image.id) if one.image else None,
        is_default=True,
        field="image.name",
        read_raw=lambda one: one.image.name if one.image else None,
        fields=("image",),
        own_width=13,
    ),
    Column("tags", _("Tags"), "own", lambda one: one.tags or (), is_default=True, own_width=17),
    Column("age", _("Age"), "moment", lambda one: one.created_at, is_default=True, field="created_at"),
    Column("id", _("ID"), "codes", lambda one: (one.id,) if one.id else (), read_raw=lambda one: one.id),
    Column("description", _("Description"), "text", lambda one: one.description),
    Column("crn", _("CRN"), "codes", lambda one: (one.crn,) if one.crn else (), read_raw=lambda one: one.crn),
    Column("power_state", _("Power state"), "code", lambda one: one.power_state),
    Column("task_state", _("Task state"), "code", lambda one: one.task_state),
    Column("vm_state", _("VM state"), "code", lambda one: one.vm_state),
    Column("networks", _("Networks"), "texts", lambda one: tuple(one.addresses or ()), fields=("addresses",)),
    Column(
        "mac_addresses",
        _("MAC addresses"),
        "codes",
        list_mac_addresses,
        field="addresses.mac_addr",
        fields=("addresses",),
        own_width=20,
    ),
    Column(
        "security_groups",
        _("Security groups"),
        "texts",
        lambda one: tuple(group.name for group in one.security_groups or () if group.name),
    ),
    Column("keys", _("Keys"), "texts", lambda one: one.key_names or (), field="key_names"),
    Column("volumes", _("Volumes"), "codes", _list_volumes, field="volumes_attached"),
    Column("metadata", _("Metadata"), "texts", _list_metadata),
    Column("updated", _("Updated"), "moment", lambda one: one.updated_at, field="updated_at"),
    Column("launched", _("Launched"), "moment", lambda one: one.launched_at, field="launched_at"),
    Column("terminated", _("Terminated"), "moment", lambda one: one.terminated_at, field="terminated_at"),
    Column("vcpus", _("vCPUs"), "count", _read_flavor("vcpus"), field="flavor.vcpus"),
    Column("ram", _("RAM"), "mebibytes", _read_flavor("ram"), field="flavor.ram"),
    Column("disk", _("Disk"), "gigabytes", _read_flavor("disk"), field="flavor.disk"),
)
COLUMNS = {column.name: column for column in _ALL}
# The name is the row header and links to the instance, so it is always shown.
FIRST = "name"
DEFAULT_NAMES = tuple(column.name for column in _ALL if column.is_default)


def order_names(names: Iterable[str]) -> tuple[str, ...]:
    """The known names, in the order of the table, always with the first column."""
    chosen = {FIRST, *names}
    return tuple(filter(chosen.__contains__, COLUMNS))


def read_names(text: str) -> tuple[str, ...]:
    """Column names from a comma-separated text, as in a member's preferences; empty for the default columns.

    Unknown names are ignored: a column may have been removed since the preference was saved.
    """
    names = order_names(text.split(",")) if text else ()
    return names if len(names) > 1 or text == FIRST else DEFAULT_NAMES


def write_names(names: tuple[str, ...]) -> str:
    """The comma-separated text that `read_names` parses; empty for the default columns."""
    return "" if names == DEFAULT_NAMES else ",".join(names)


def list_unknown(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in COLUMNS]


def find_columns(names: Iterable[str]) -> tuple[Column, ...]:
    return tuple(map(COLUMNS.__getitem__, names))


@lru_cache(maxsize=8)
def list_titles(_language: str | None) -> dict[str, str]:
    """The titles of all columns by name, looked up once per language: a list page shows some of them three times."""
    return {name: str(column.title) for name, column in COLUMNS.items()}
