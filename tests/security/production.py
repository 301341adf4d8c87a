"""The portal as in production: its cookies, its headers, TLS only."""

import os
import runpy
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.test_settings import PRODUCTION

ROOT = Path(__file__).parent.parent.parent
HOST = "portal.example.com"
_OF_THE_WIRE = (
    "SECURE_",
    "SESSION_COOKIE_",
    "CSRF_",
    "X_FRAME_",
    "CONTENT_SECURITY_",
    "ALLOWED_HOSTS",
    "PLAIN_HTTP",
    "PUBLIC_",
)


def serve_as_production(settings: Settings) -> None:
    """Take what concerns the wire from the settings module, read with a production's environment."""
    for name, value in read_production().items():
        setattr(settings, name, value)


@lru_cache(maxsize=1)
def read_production() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - {"PATH", "HOME"}:
            if not name.startswith(("COVERAGE", "COV_")):
                patch.delenv(name)
        for name, value in PRODUCTION.items():
            patch.setenv(name, value)
        values = runpy.run_path(str(ROOT / "portal/settings.py"), run_name="portal.settings")
    return {name: value for name, value in values.items() if name.startswith(_OF_THE_WIRE)}


class SecureClient(Client):
    """A browser at the portal's own name, over TLS."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SERVER_NAME=HOST, **options)

    def generic(self, *args: Any, **options: Any) -> Any:
        return super().generic(*args, **options | {"secure": True})
