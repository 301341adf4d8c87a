"""The environment of processes that are not measured for coverage, which takes as long again as the work itself.

Nothing is lost: what they run is tested, and measured, nearer to its place.
"""

import os
from collections.abc import Mapping


def leave_out_coverage(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment, or else this process's, without what would have a child of its own measured."""
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE")}
