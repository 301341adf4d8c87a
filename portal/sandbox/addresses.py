"""The IP addresses of an instance, computed from its number."""

import hashlib
from typing import Any

_PER_SUBNET = 250
_PRIVATE = {"private": 16, "storage": 48, "management": 80, "lab-a": 112, "lab-b": 144, "lab-c": 176}
_NETWORKS = {"private": "private-network", "public": "public-network"}


def addresses(kinds: tuple[str, ...], number: int) -> dict[str, list[dict[str, Any]]]:
    """Network name to addresses, as nested in the API. Public addresses are from documentation ranges."""
    return {_NETWORKS.get(kind, kind): _on_network(kind, number) for kind in kinds}


def _on_network(kind: str, number: int) -> list[dict[str, Any]]:
    mac = _mac(kind, number)
    subnet, host = divmod(number, _PER_SUBNET)
    host += 4
    if kind == "public":
        found = [_address(f"203.0.113.{host}", 4, "floating", mac)]
        return [*found, _address(f"2001:db8:{subnet:x}::{host:x}", 6, "fixed", mac)]
    first = _PRIVATE[kind]
    found = [_address(f"10.{first + subnet // 256}.{subnet % 256}.{host}", 4, "fixed", mac)]
    if kind == "private" and number % 3:
        return found
    return [*found, _address(f"fd00:{first:x}:{subnet:x}::{host:x}", 6, "fixed", mac)]


def _address(addr: str, version: int, kind: str, mac: str) -> dict[str, Any]:
    return {"addr": addr, "version": version, "type": kind, "mac_addr": mac}


def _mac(kind: str, number: int) -> str:
    tail = hashlib.blake2b(f"{kind}/{number}".encode(), digest_size=3).digest()
    return "fa:16:3e:" + tail.hex(":")
