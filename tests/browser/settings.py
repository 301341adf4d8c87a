"""The production settings, plus the hooks with which each test resets the portal (`tests/browser/hooks.py`)."""

from portal.settings import *  # noqa: F403
from portal.settings import MIDDLEWARE

MIDDLEWARE = ["tests.browser.hooks.HooksMiddleware", *MIDDLEWARE]
