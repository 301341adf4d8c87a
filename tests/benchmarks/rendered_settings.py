"""The same portal, but tables are not kept: what a page costs when nobody has seen its rows before."""

from tests.benchmarks.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.rendered_urls"
