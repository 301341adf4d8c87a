"""Reads settings from the environment, a `.env` file and `NAME_FILE` files; a bad value stops the start in one sentence."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError

from portal.bycloud.regions import Region

T = TypeVar("T")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def refuse(name: str, problem: str) -> NoReturn:
    """Stop the start with a sentence that names the setting."""
    sys.exit(f"ByCloud Portal cannot start: {name} {problem}.")


class Environment:
    """The process environment over an optional `.env` file. `NAME_FILE` gives the path of a file that holds NAME."""

    def __init__(self, env_file: Path) -> None:
        self.env = Env()
        if env_file.is_file():
            self.env.read_env(str(env_file), recurse=False)

    def read(self, parse: Callable[..., T], name: str, **options: object) -> T:
        """One setting by one of environs' parsers (`self.env.bool`, `self.env.list`, ...)."""
        try:
            return parse(name, **options)
        except (EnvError, ValueError, KeyError) as error:
            problem = str(error).replace(f'Environment variable "{name}" ', "").rstrip(".")
            refuse(name, problem if problem != "not set" else "is not set")

    def read_secret(self, name: str, *, purpose: str) -> str:
        """A required secret, from NAME or from the file that NAME_FILE names."""
        path = os.environ.get(f"{name}_FILE")
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                refuse(f"{name}_FILE", f"names {path}, which cannot be read ({error.strerror})")
        else:
            value = os.environ.get(name, "").strip()
        if not value:
            refuse(name, f"is not set; it is {purpose}")
        return value


def read_regions(text: str, *, allow_plain_http: bool) -> dict[str, Region]:
    """`code=https://host` pairs, commas between, in order. Only `https`, unless plain HTTP is allowed for loopback."""
    regions: dict[str, Region] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        code, _, url = (part.strip() for part in pair.partition("="))
        split = urlsplit(url)
        if not code.isascii() or not code.replace("-", "").isalnum() or not split.hostname:
            refuse("BYCLOUD_REGIONS", f"has {pair!r}, which does not read like spo1=https://api.spo1.mycloud.com")
        is_loopback = split.hostname in LOOPBACK_HOSTS
        if not (split.scheme == "https" and not is_loopback) and not (
            allow_plain_http and is_loopback and split.scheme in {"http", "https"}
        ):
            refuse(
                "BYCLOUD_REGIONS",
                f"has {url!r}: an address must begin with https:// and be no loopback address"
                " (PLAIN_HTTP=1 allows a loopback one)",
            )
        if code in regions:
            refuse("BYCLOUD_REGIONS", f"names the region {code!r} twice")
        regions[code] = Region(code=code, base_url=url.rstrip("/"))
    if not regions:
        refuse("BYCLOUD_REGIONS", "names no region; it reads like spo1=https://api.spo1.mycloud.com")
    return regions
