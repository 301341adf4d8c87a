"""The portal's settings, plus an empty view and a table for Django's admin."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin", "tests.benchmarks.machines"]  # noqa: F405
# The admin has its pages in admin_settings.py; here it only has its tables.
SILENCED_SYSTEM_CHECKS = ["admin.E402", "admin.E404"]
