"""The meaning of queries in plain Python: slow and simple, to compare the index with."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from portal.bycloud import Instance, list_addresses, list_mac_addresses
from portal.fleet.status import derive_state

GIBIBYTE = 1024
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
# What the portal shows for a status, in its two languages.
SHOWN = {"ACTIVE": ("active", "ativa"), "SHUTOFF": ("stopped", "parada"), "ERROR": ("error", "erro")}


def find(instances: Iterable[Instance], conditions: Iterable[dict[str, Any]], now: datetime) -> set[str]:
    """The ids of the instances for which all conditions hold."""
    return {
        one.id
        for one in instances
        if one.id
        and all(
            any(_holds(one, condition["key"], value, now) for value in condition["values"]) != condition["excluded"]
            for condition in conditions
        )
    }


def list_texts(one: Instance) -> list[str]:
    """Everything of an instance that a word may be a part of."""
    fields = json.loads(encode(one))
    fields.pop("metadata", None)
    texts = [*_list_leaves(fields), *(one.addresses or {})]
    texts += [f"{key}={value or ''}" for key, value in (one.metadata or {}).items()]
    texts += [mac.replace(":", "") for mac in list_mac_addresses(one)]
    texts += SHOWN.get(one.status or "", ())
    if one.flavor and one.flavor.ram is not None:
        ram = one.flavor.ram
        texts += (
            [f"{ram} mib"]
            if ram < GIBIBYTE
            else [f"{ram / GIBIBYTE:g} gib", f"{ram / GIBIBYTE:g} gib".replace(".", ",")]
        )
    return [text.casefold() for text in texts if text]


def _list_leaves(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in _list_leaves(each)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def list_values(one: Instance, key: str) -> list[str]:
    """What a key is compared with."""
    found: dict[str, list[str | None]] = {
        "name": [one.name],
        "id": [one.id],
        "status": [one.status, *SHOWN.get(one.status or "", ())],
        "flavor": [one.flavor.name if one.flavor else None],
        "image": [one.image.name if one.image else None],
        "tag": list(one.tags or ()),
        "network": list(one.addresses or ()),
        "group": [group.name for group in one.security_groups or ()],
        "key": list(one.key_names or ()),
        "meta.team": [(one.metadata or {}).get("team")],
    }
    return [value.casefold() for value in found[key] if value]


def _holds(one: Instance, key: str, value: tuple[str, bool, bool], now: datetime) -> bool:
    text, any_before, any_after = value
    if not key:
        return any(_is_in(text.casefold(), each, any_before, any_after) for each in list_texts(one))
    if key in {"ram", "vcpus"}:
        number = getattr(one.flavor, key) if one.flavor else None
        return number is not None and _compare(number / (GIBIBYTE if key == "ram" else 1), text, float)
    if key == "created":
        age = now - one.created_at if one.created_at else None
        return age is not None and _compare(age, text, lambda each: int(each[:-1]) * UNITS[each[-1]])
    if key == "is":
        tone = derive_state(one).tone
        is_old = one.updated_at is not None and now - one.updated_at > timedelta(hours=1)
        return {"stuck": tone == "pending" and is_old, "warning": tone == "warn"}[text.casefold()]
    if key == "ip":
        network = ip_network(text)
        addresses = [ip_address(each) for each in list_addresses(one)]
        return any(each in network for each in addresses if each.version == network.version)
    return any(_equals(text.casefold(), each, any_before, any_after) for each in list_values(one, key))


def _is_in(text: str, whole: str, any_before: bool, any_after: bool) -> bool:  # noqa: FBT001
    if any_before and not any_after:
        return whole.endswith(text)
    return whole.startswith(text) if any_after and not any_before else text in whole


def _equals(text: str, whole: str, any_before: bool, any_after: bool) -> bool:  # noqa: FBT001
    if any_before and any_after:
        return text in whole
    if any_before:
        return whole.endswith(text)
    return whole.startswith(text) if any_after else whole == text


def _compare(number: Any, text: str, read: Any) -> bool:
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            bound = read(text.removeprefix(sign))
            return bool({">=": number >= bound, "<=": number <= bound, ">": number > bound, "<": number < bound}[sign])
    low, dots, high = text.partition("..")
    return bool(read(low) <= number <= read(high)) if dots else bool(number == read(text))


def encode(one: Instance) -> bytes:
    """As ByCloud would send it."""
    fields = {name: value for name, value in msgspec.to_builtins(one).items() if value is not None}
    return json.dumps(fields).encode()
