"""Production's settings, with one more door, by which each test begins anew (`tests/browser/door.py`)."""

from portal.settings import *  # noqa: F403
from portal.settings import MIDDLEWARE

MIDDLEWARE = ["tests.browser.door.DoorMiddleware", *MIDDLEWARE]
