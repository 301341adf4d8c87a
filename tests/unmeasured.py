"""An environment for processes without coverage measurement, which would double their run time.

Their code is covered by more direct tests.
"""

import os
from collections.abc import Mapping


def leave_out_coverage(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment, or else this process's, without what would have a child of its own measured."""
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE")}
