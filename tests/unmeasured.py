"""The environment of processes that are not measured for coverage, which takes as long again as the work itself.

Nothing is lost: what they run is tested, and measured, nearer to its place.
"""

import os


def leave_out_coverage() -> dict[str, str]:
    """The environment of this process without what would have a child of its own measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
