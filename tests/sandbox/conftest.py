"""A sandbox per test, and an authenticated client for it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from portal.sandbox.organizations import ORGANIZATIONS
from portal.sandbox.server import Sandbox

ACME = ORGANIZATIONS[0].token


class Api:
    """Calls one sandbox as one organization, and its switches."""

    def __init__(self, url: str, token: str = ACME) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, query: str = "", path: str = "/v1/instances", **options: Any) -> requests.Response:
        target = f"{self.url}{path}?{query}" if query else f"{self.url}{path}"
        return self.session.get(target, allow_redirects=False, timeout=options.pop("timeout", 5), **options)

    def page(self, query: str = "") -> dict[str, Any]:
        answer = self.get(query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def names(self, query: str = "") -> list[str]:
        return [each["name"] for each in self.page(query)["instances"]]

    def every(self, query: str = "limit=100") -> list[dict[str, Any]]:
        """All instances that fit, over all pages."""
        found, marker = [], None
        while True:
            page = self.page(f"{query}&marker={marker}" if marker else query)
            found += page["instances"]
            if not page["meta"]["has_more"]:
                return found
            marker = page["meta"]["marker"]

    def control(self, method: str, path: str, **body: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/_sandbox/{path}", json=body or None, timeout=5)

    def script(self, **fault: Any) -> None:
        assert self.control("POST", "faults", **fault).status_code == 201

    def change(self, identifier: str, **change: Any) -> dict[str, Any]:
        answer = self.control("POST", f"instances/{identifier}", **change)
        assert answer.ok, answer.text
        instance: dict[str, Any] = answer.json()
        return instance

    def log(self) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.control("GET", "requests").json()
        return log


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with Sandbox(settle_seconds=60) as sandbox:
        yield sandbox


@pytest.fixture
def api(served: Sandbox) -> Iterator[Api]:
    api = Api(served.url)
    yield api
    api.session.close()
