"""`make install` on machines that lack something: one message each, and no incomplete installation that passes as
complete.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of a clone as `make install` reads, with a lock file that asks for nothing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.txt").touch()
    return tmp_path


def make(clone: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    # Not the variables of the make that may run these tests.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        ["make", *words], cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def write_python(clone: Path, text: str) -> Path:
    python = clone / "python"
    python.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def assert_refused(answer: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    assert answer.returncode
    first, last = answer.stderr.splitlines()
    assert first == sentence
    assert last.startswith("make: *** ")
    assert answer.stdout == ""


def test_a_python_that_is_not_there_is_said(clone: Path) -> None:
    assert_refused(
        make(clone, "install", "PYTHON=python3.99"),
        "python3.99 was not found; install Python 3.11 or later, or choose one by PYTHON=...",
    )


def test_a_python_that_is_too_old_is_said(clone: Path) -> None:
    python = write_python(clone, '[ "$1" = -V ] && echo "Python 3.9.2"\nexit 1')
    assert_refused(
        make(clone, "install", f"PYTHON={python}"),
        f"{python} is Python 3.9.2; ByCloud Portal needs Python 3.11 or later (PYTHON=... chooses one).",
    )


def test_a_missing_venv_module_is_said(clone: Path) -> None:
    python = write_python(clone, 'case "$*" in *ensurepip*) exit 1;; esac')
    assert_refused(
        make(clone, "install", f"PYTHON={python}"),
        f"{python} has no venv module; on Debian and Ubuntu: apt install python3-venv",
    )
    assert not (clone / ".venv").exists()


@pytest.mark.slow
def test_what_is_installed_is_not_installed_again(clone: Path) -> None:
    assert make(clone, "install", f"PYTHON={sys.executable}").returncode == 0
    assert (clone / ".venv/runtime").exists()
    again = make(clone, "install")
    assert again.stdout == "make: Nothing to be done for 'install'.\n"
    (clone / "requirements/runtime.txt").write_text("no such line", encoding="utf-8")
    assert make(clone, "install").returncode


def test_help_names_each_command() -> None:
    answer = make(ROOT, "help")
    assert {row.split()[0] for row in answer.stdout.splitlines()} >= {"install", "run", "test", "check", "lock"}
