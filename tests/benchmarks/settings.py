"""The portal's settings, plus an empty view and a table for Django's admin."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin", "tests.benchmarks.machines"]  # noqa: F405
