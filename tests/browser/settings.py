"""The production settings, plus the hooks with which each test resets the portal (`tests/browser/door.py`)."""

from portal.settings import *  # noqa: F403
from portal.settings import MIDDLEWARE

MIDDLEWARE = ["tests.browser.door.DoorMiddleware", *MIDDLEWARE]
