"""A real OpenID provider (the package oidc-provider-mock) in a separate process, on loopback."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from tests.ports import find_free_port


@dataclass(frozen=True)
class Provider:
    url: str

    def add_person(self, subject: str, **claims: object) -> None:
        """Someone who has an account there, or has other claims than before."""
        requests.put(f"{self.url}/users/{subject}", json=claims, timeout=10).raise_for_status()


@contextlib.contextmanager
def run_provider(port: int | None = None) -> Iterator[Provider]:
    port = port or find_free_port()
    # It signs in over plain HTTP, which is for loopback alone.
    environment = os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            provider = Provider(f"http://localhost:{port}")
            _wait_until_it_answers(provider, process)
            yield provider
        finally:
            process.terminate()


def _wait_until_it_answers(provider: Provider, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=5).raise_for_status()
        except requests.RequestException:
            assert process.poll() is None, "the provider ended"
            assert time.monotonic() < deadline, "the provider does not answer"
            time.sleep(0.1)
        else:
            return
