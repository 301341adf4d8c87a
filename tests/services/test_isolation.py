"""Data of one credential is never shown with another, and the credentials are not stored in plain text."""

import base64
import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
import requests

from portal.gateway.failover_cache import RETRY_SECONDS
from portal.sandbox.organizations import FORBIDDEN_TOKEN, ORGANIZATIONS
from tests.services.portals import LIST, Deployment, Portal, list_ids, open_session
from tests.services.servers import PostgreSQL, Redis
from tests.upstream import Upstream

Pair = tuple[Portal, Portal]
THREADS = 24
TURNS = 150
WEB = "?name=web-%2A"
PATHS = ("", "?limit=100", WEB, "?status=ACTIVE", "?tags=production", f"{WEB}&status=ACTIVE&limit=50")
RETRY_AFTER_SECONDS = 1
FAULTS: tuple[dict[str, Any], ...] = (
    # First, because a backoff that ByCloud asks for after other failures is longer.
    {"status": 429, "headers": {"Retry-After": str(RETRY_AFTER_SECONDS)}},
    *({"status": status} for status in (400, 403, 404, 422, 500, 502, 503, 504)),
    *({"mode": mode} for mode in ("reset", "cut", "html", "not-json", "wrong-types", "hostile", "gzip-bomb", "drip")),
    {"delay": 5},
)
ACME, GLOBEX, INITECH = ORGANIZATIONS
GLOBEX_ID, _, GLOBEX_SECRET = GLOBEX.api_key.partition(":")


@pytest.fixture(scope="module")
def fleets(deployment: Deployment) -> dict[str, set[str]]:
    """The ids of all instances of an organization, by who may see them, as ByCloud itself tells them."""
    deployment.sandbox.reset()
    return {
        "otto": list_fleet(deployment, "sandbox-acme-token"),
        "vera": list_fleet(deployment, "sandbox-globex-token"),
    }


def list_fleet(deployment: Deployment, token: str) -> set[str]:
    found: set[str] = set()
    marker = ""
    with open_session() as session:
        while True:
            page = session.get(
                f"{deployment.sandbox.url}/v1/instances?limit=100{marker}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            ).json()
            found |= {instance["id"] for instance in page["instances"]}
            if not page["meta"]["has_more"]:
                return found
            marker = f"&marker={page['meta']['marker']}"


@pytest.mark.slow
def test_two_credentials_at_the_same_addresses_never_see_each_others_rows(
    deployment: Deployment, shared_redis: Redis, upstream: Upstream, fleets: dict[str, set[str]]
) -> None:
    assert (len(fleets["otto"]), len(fleets["vera"])) == (150, 12)
    assert not fleets["otto"] & fleets["vera"]
    # No page is fresh for a moment, so that all of them are fetched, joined and shared all the time.
    with deployment.open_portals(2, CACHE_URL=shared_redis.url, PAGE_FRESH_SECONDS="0") as portals:
        cookies = {name: deployment.sign_in(portals[0], name) for name in fleets}
        upstream.script(times=None, delay=0.02)
        everybody = sorted(fleets["otto"] | fleets["vera"])
        turns = random.Random(3)  # noqa: S311 -- a plan that is the same each time
        plan = [(turns.choice(sorted(fleets)), turns.choice(portals), turns.choice(PATHS)) for _ in range(TURNS)]

        def look(turn: tuple[str, Portal, str]) -> int:
            name, portal, path = turn
            page = portal.get(LIST + path, cookies[name], Portal_Refresh="1")
            assert page.status_code == 200, page.text
            shown = set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", page.text))
            theirs = set(everybody) - fleets[name]
            assert not shown & theirs
            assert set(list_ids(page)) <= fleets[name]
            return len(list_ids(page))

        with ThreadPoolExecutor(THREADS) as pool:
            rows = list(pool.map(look, plan))
        assert sum(1 for count in rows if count) > TURNS / 2

        theirs = sorted(fleets["otto"])[:3]
        for portal in portals:
            for instance_id in theirs:
                assert portal.get(f"{LIST}{instance_id}/", cookies["vera"]).status_code == 404
                assert portal.get(f"{LIST}{instance_id}.json", cookies["vera"]).status_code == 404
                assert portal.get(f"{LIST}{instance_id}.json", cookies["otto"]).status_code == 200


@dataclass
class Traces:
    """Everything that a day has left: what people were answered, and what stood in Redis at several moments of it."""

    answers: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    kept: list[bytes] = field(default_factory=list)

    def take(self, answer: requests.Response) -> requests.Response:
        self.statuses.add(answer.status_code)
        self.answers.append(f"{answer.url}\n{answer.headers}\n{answer.text}")
        return answer

    def take_redis(self, redis: Redis) -> None:
        with redis.connect() as client:
            keys = list(client.scan_iter(count=1000))
            assert {client.type(key) for key in keys} <= {b"string"}
            self.kept += [*keys, *(value for value in client.mget(keys) if value)]


class Day:
    """A day on which everything goes wrong, with a ByCloud that repeats in its errors what it was sent."""

    def __init__(self, deployment: Deployment, portals: list[Portal], upstream: Upstream, redis: Redis) -> None:
        self.first, self.second = self.portals = portals
        self.deployment, self.upstream, self.redis = deployment, upstream, redis
        self.otto, self.vera = (deployment.sign_in(self.first, name) for name in ("otto", "vera"))
        self.traces = Traces()

    def go_through_faults(self) -> None:
        take = self.traces.take
        take(self.first.try_to_sign_in("otto", f"{self.deployment.password}x")[0])
        page = take(self.first.get(LIST, self.otto))
        take(self.second.get(f"{LIST}{list_ids(page)[0]}/", self.otto))
        take(self.second.get(f"{LIST}{list_ids(page)[0]}.json", self.otto))
        for number, fault in enumerate(FAULTS):
            portal = self.portals[number % 2]
            self.upstream.script(times=None, **fault)
            for cookie, button in ((self.otto, "refresh"), (self.vera, "revalidate")):
                take(portal.get(LIST, cookie, Portal_Refresh="1"))
                query = f"name=fault-{number}"
                take(portal.post(f"{LIST}{button}/", take(portal.get("/preferences/", cookie)), cookie, query=query))
                take(portal.get(f"{LIST}?{query}", cookie))
            self.upstream.clear()
            if fault.get("status") == 429:
                time.sleep(RETRY_AFTER_SECONDS)
        self.recover(self.otto, self.vera)

    def hear_the_credential_repeated(self, cookie: str, *secrets: str) -> None:
        for secret in secrets:
            for status in (400, 500, 401):
                said = {"message": f"No: {secret}", "details": f"Authorization: Bearer {secret}", "request_id": secret}
                self.upstream.script(times=None, status=status, body={"error": said}, headers={"X-Request-Id": secret})
                for portal in self.portals:
                    query = f"name=repeated-{status}"
                    form = portal.get("/preferences/", cookie)
                    self.traces.take(portal.post(f"{LIST}revalidate/", form, cookie, query=query))
                    self.traces.take(portal.get(f"{LIST}?{query}", cookie))
                self.upstream.clear()
                self.recover(cookie)

    def replace_the_credential(self, **fields: str) -> None:
        form = self.traces.take(self.first.get("/credentials/spo1/", self.vera))
        self.traces.take(self.first.post("/credentials/spo1/", form, self.vera, **fields))
        self.traces.take(self.second.get(LIST, self.vera))

    def lose_redis(self) -> None:
        self.redis.hang()
        for portal in self.portals:
            self.traces.take(portal.get(LIST, self.vera))
            self.traces.take(portal.get(f"{LIST}?name=alone", self.otto))
        self.redis.go_on()
        time.sleep(RETRY_SECONDS + 0.5)
        for portal in self.portals:
            for path in (f"{LIST}?limit=50", "/credentials/", "/nowhere/"):
                self.traces.take(portal.get(path, self.vera))
        self.traces.take_redis(self.redis)

    def recover(self, *cookies: str) -> None:
        """The owners check their credentials, and both portals go on. Then nothing is cached or counted any more."""
        for cookie in cookies:
            page = self.traces.take(self.first.get("/credentials/", cookie))
            self.traces.take(self.first.post("/credentials/spo1/check/", page, cookie))
            for portal in self.portals:
                assert self.traces.take(portal.get(f"{LIST}?limit=5", cookie, Portal_Refresh="1")).ok
        self.traces.take_redis(self.redis)
        self.redis.clear()


def spell(secret: str) -> set[str]:
    """A secret in the ways it may have been written."""
    plain = secret.encode()
    return {
        secret,
        plain.hex(),
        base64.b64encode(plain).decode().rstrip("="),
        quote(secret, safe=""),
        repr(plain)[2:-1],
    }


def dump(server: PostgreSQL, database_url: str) -> str:
    """All tables as text."""
    answer = subprocess.run(
        [server.programs / "pg_dump", "--inserts", "--data-only", database_url],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return answer.stdout


@pytest.mark.slow
def test_after_a_day_of_faults_no_secret_stands_anywhere(
    deployment: Deployment, postgresql: PostgreSQL, own_redis: Redis, upstream: Upstream
) -> None:
    settings = {"CACHE_URL": own_redis.url, "BYCLOUD_DEADLINE_SECONDS": "1.5", "PAGE_FRESH_SECONDS": "0"}
    with deployment.open_portals(2, **settings) as portals:
        day = Day(deployment, portals, upstream, own_redis)
        day.go_through_faults()
        day.hear_the_credential_repeated(day.otto, ACME.token)
        day.replace_the_credential(kind="bearer", token=FORBIDDEN_TOKEN)
        day.replace_the_credential(kind="bearer", token="sandbox-unknown-token")
        day.replace_the_credential(kind="bearer", token=INITECH.token)
        day.replace_the_credential(kind="api-key", access_key_id=GLOBEX_ID, secret_access_key=GLOBEX_SECRET)
        day.hear_the_credential_repeated(day.vera, GLOBEX_SECRET, GLOBEX.api_key)
        day.lose_redis()
        logs = "".join(portal.log.read_text(encoding="utf-8") for portal in portals)
    places = {
        "answers": "\n".join(day.traces.answers),
        "log lines": logs,
        "Redis": b"\n".join(day.traces.kept).decode("utf-8", "replace"),
        "tables": dump(postgresql, deployment.database_url),
    }

    # The day was as bad as it was meant to be, and what is looked through is what is meant.
    assert {200, 403, 404, 422, 502, 503, 504} <= day.traces.statuses
    for error in (
        "ServerFault",
        "InvalidResponse",
        "TimedOut",
        "RateLimited",
        "Unauthorized",
        "Forbidden",
        "Unreachable",
    ):
        assert f'"error": "{error}"' in places["log lines"]
    assert "cache_server_away" in places["log lines"]
    assert '"instances":' in places["Redis"].replace(" ", "")
    for table in ("accounts_member", "credentials_credential", "audit_event", "accounts_membersession"):
        assert f"INSERT INTO public.{table} " in places["tables"]
    assert "credential-set" in places["tables"]
    assert "sign-in-failed" in places["tables"]

    secrets = [
        *(secret for each in ORGANIZATIONS for secret in (each.token, each.api_key, each.api_key.partition(":")[2])),
        *(
            FORBIDDEN_TOKEN,
            "sandbox-unknown-token",
            deployment.password,
            deployment.secret_key,
            deployment.credential_key,
        ),
        *(own_redis.password, postgresql.password),
    ]
    found = {
        (place, secret)
        for place, text in places.items()
        for secret in secrets
        if any(spelling in text for spelling in spell(secret))
    }
    assert found == set()
