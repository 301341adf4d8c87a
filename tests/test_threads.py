"""The first requests of a process may come at once, in many threads."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_no_process_ends_because_its_first_requests_come_together() -> None:
    """A thread that decodes a type while another one decodes it for the first time can crash msgspec."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.first_requests", "200"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
