"""Reads settings from environment variables, an optional `.env` file and `NAME_FILE` files.

An invalid value stops the portal at startup with a one-sentence error.
"""

import re
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import inet_aton
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from django.http.request import validate_host
from environs import EnvValidationError, FileAwareEnv, ValidationError, validate

from portal.bycloud.regions import Region

T = TypeVar("T")
Validator = Callable[[Any], object]
REGION_CODE = re.compile("[a-z0-9]+(-[a-z0-9]+)*")


def refuse(name: str, problem: str) -> NoReturn:
    """Exit with a sentence that names the setting."""
    sys.exit(f"ByCloud Portal cannot start: {name} {problem}.")


def at_least(least: float, reason: str = "") -> Validator:
    return validate.Range(min=least, error="must be at least {min}" + (f"; {reason}" if reason else ""))


def one_of(*choices: str) -> Validator:
    words = f"{', '.join(choices[:-1])} or {choices[-1]}"
    return validate.OneOf(choices, error=f"must be {words}")


def is_file(path: str) -> None:
    if not Path(path).is_file():
        raise ValidationError(f"names {path}, which is not a file")


def is_link(url: str) -> None:
    if not url.startswith(("https://", "mailto:")):
        raise ValidationError("must start with https:// or mailto:")


class _Env(FileAwareEnv):
    """Treats an empty value as not set: compose files and `.env` templates contain empty values."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        return super()._get_value(env_key, default) or default


class Environment:
    """The process environment over an optional `.env` file. `NAME_FILE` is the path of a file that contains NAME."""

    def __init__(self, env_file: Path) -> None:
        self.env = _Env(strip_whitespace=True)
        if env_file.is_file():
            self.env.read_env(env_file, recurse=False)

    def read(self, parse: Callable[..., T], name: str, *, default: T | str, **options: Validator) -> T:
        """Read one setting with one of environs' parsers (`self.env.bool`, `self.env.list`, ...).

        The option `validate` raises environs' `ValidationError` with the end of a sentence that begins with the
        setting's name, such as "must be at least 1". The default is not validated.
        """
        try:
            return parse(name, default, **options)
        except EnvValidationError as error:
            # Never repeat the value in the error: a database URL contains a password.
            problem = next(iter(error.error_messages)).rstrip(".")
            if problem[0].islower():
                refuse(name, problem)
            problem = problem.lower()
            refuse(name, f"is {problem}" if problem.startswith("not ") else f"is invalid ({problem})")
        except (OSError, ValueError):
            refuse(f"{name}_FILE", "is not the path of a readable file")

    def read_secret(self, name: str, *, purpose: str) -> str:
        """Read a required secret. Exits if it is not set."""
        return self.read(self.env.str, name, default="").strip() or refuse(name, f"is not set; it is {purpose}")


def cache_of_bytes(server: dict[str, Any], name: str, *, megabytes: int) -> dict[str, Any]:
    """The settings of a cache of bytes with its own namespace, on a server or in this process."""
    if "locmem" in server["BACKEND"]:
        room = {"MAX_BYTES": megabytes * 1024 * 1024}
        return {"BACKEND": "portal.gateway.memory_cache.MemoryCache", "LOCATION": name, "OPTIONS": room}
    if "redis" in server["BACKEND"]:
        # If the server does not respond quickly, pages are fetched without it. A slow server does not cause an outage.
        options = {"socket_timeout": 2, "socket_connect_timeout": 2}
        failing_over = {"BACKEND": "portal.gateway.failover_cache.FailoverCache", "OPTIONS": options}
        return server | failing_over | {"KEY_PREFIX": name}
    return server | {"KEY_PREFIX": name}


def read_regions(text: str, *, allow_plain_http: bool) -> dict[str, Region]:
    """Parse comma-separated `code=https://host` pairs, in order. Plain HTTP is allowed only for loopback hosts."""
    regions: dict[str, Region] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        code, _, url = (part.strip() for part in pair.partition("="))
        if "@" in url:
            # Don't repeat the URL: the error is logged.
            refuse("BYCLOUD_REGIONS", f"must not contain a user name or password (in the URL of {code!r})")
        host, is_here = _read_host(url)
        if not REGION_CODE.fullmatch(code) or not host:
            refuse(
                "BYCLOUD_REGIONS", f"has {pair!r}, which is not a valid region like spo1=https://api.spo1.mycloud.com"
            )
        if is_here and not allow_plain_http:
            refuse("BYCLOUD_REGIONS", f"has {url!r}, a loopback address, which is only allowed with PLAIN_HTTP=1")
        if not is_here and not url.startswith("https://"):
            refuse("BYCLOUD_REGIONS", f"has {url!r}, which must start with https://")
        if code in regions:
            refuse("BYCLOUD_REGIONS", f"contains the region {code!r} twice")
        regions[code] = Region(code=code, base_url=url.rstrip("/"))
    if not regions:
        refuse("BYCLOUD_REGIONS", "contains no region; set it to code=URL, such as spo1=https://api.spo1.mycloud.com")
    return regions


def read_origin(name: str, url: str, *, allow_plain_http: bool) -> str:
    """Return the origin of the URL in the setting `name`. Plain HTTP is allowed only for loopback hosts."""
    _host, is_here = _check_url(name, url, example="https://login.example.com")
    if not url.startswith("https://") and not (is_here and allow_plain_http):
        refuse(name, f"has {url!r}, which must start with https://")
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


def read_public_url(url: str, *, hosts: list[str], allow_plain_http: bool) -> str:
    """Return the public origin of the portal: PUBLIC_URL, or the only name in ALLOWED_HOSTS."""
    if not url and (len(hosts) != 1 or hosts[0].startswith(("*", "."))):
        refuse(
            "PUBLIC_URL",
            "is not set; unless ALLOWED_HOSTS is one host name, it must be a URL like https://portal.example.com",
        )
    url = url or f"{'http' if allow_plain_http else 'https'}://{hosts[0]}"
    host, _is_here = _check_url("PUBLIC_URL", url, example="https://portal.example.com")
    split = urlsplit(url)
    if split.scheme != "https" and not allow_plain_http:
        refuse("PUBLIC_URL", f"has {url!r}, which must start with https://")
    if split.path.strip("/"):
        refuse("PUBLIC_URL", f"has {url!r}, which must not have a path")
    name = f"[{host}]" if ":" in host else host
    if not validate_host(name, hosts):
        refuse("PUBLIC_URL", f"has the host {name}, which is not in ALLOWED_HOSTS")
    usual_port = 443 if split.scheme == "https" else 80
    return f"{split.scheme}://{name}" + (f":{split.port}" if split.port not in {None, usual_port} else "")


def read_role_groups(text: str, *, roles: tuple[str, ...]) -> dict[str, str]:
    """Parse comma-separated `group=role` pairs. Splits at the last equals sign, because group names may contain one."""
    groups: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = (part.strip() for part in pair.rpartition("="))
        if not group or role not in roles:
            refuse("OIDC_ROLE_GROUPS", f"has {pair!r}, which is not a valid group=role; roles are {', '.join(roles)}")
        if group in groups:
            refuse("OIDC_ROLE_GROUPS", f"contains the group {group!r} twice")
        groups[group] = role
    return groups


def is_loopback(host: str) -> bool:
    """Whether a host from a URL or ALLOWED_HOSTS is a loopback address, in any notation."""
    name = host.lower().removeprefix("[").removesuffix("]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(name.partition("%")[0])
    except ValueError:
        try:
            # Parse it like the C library, which HTTP clients use: 127.1, 0x7f000001, 2130706433.
            address = IPv4Address(inet_aton(name))
        except (OSError, ValueError):
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _check_url(name: str, url: str, *, example: str) -> tuple[str, bool]:
    if "@" in url:
        # Don't repeat the URL: the error is logged.
        refuse(name, "must not contain a user name or password")
    host, is_here = _read_host(url)
    if not host:
        refuse(name, f"has {url!r}, which is not a valid URL like {example}")
    return host, is_here


def _read_host(url: str) -> tuple[str, bool]:
    """Return the host of a base URL and whether it is loopback. The host is empty if the URL is invalid."""
    try:
        split = urlsplit(url)
        host, _port = split.hostname or "", split.port
    except ValueError:
        return "", False
    if split.scheme not in {"http", "https"} or split.query or split.fragment:
        return "", False
    return host, is_loopback(host)
