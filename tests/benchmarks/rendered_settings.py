"""The same portal without the table cache: the cost of a page that must be rendered."""

from tests.benchmarks.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.rendered_urls"
