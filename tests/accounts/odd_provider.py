"""An OpenID provider over real HTTP on loopback, with ID token claims that tests choose."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt

KEY = "only-for-tests-" + "x" * 50


@dataclass
class OddProvider:
    url: str = ""
    # What the next ID token and the next answer about its person hold.
    claims: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def list_good_claims(self, *, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.url,
            "sub": "s-1",
            "aud": "portal",
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "preferred_username": "olga",
            "groups": ["staff"],
        }

    def answer(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
            endpoints = {name: f"{self.url}/{name.partition('_')[0]}" for name in names}
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | endpoints
        if path == "/token":
            token = jwt.encode(self.claims, KEY, algorithm="HS256")
            return {"access_token": "a-token", "token_type": "Bearer", "id_token": token}
        return {"sub": self.claims.get("sub")} | self.about


@contextlib.contextmanager
def run_odd_provider() -> Iterator[OddProvider]:
    provider = OddProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(provider.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            """Nothing: tests read what is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
