"""Reading /proc, for the test's own process."""

import os
import subprocess
import sys
from time import process_time

import pytest

from tests.benchmarks.processes import cpu_seconds, list_children, peak_megabytes, pss_megabytes, reset_peak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_the_processor_time_is_the_one_that_python_knows() -> None:
    until = process_time() + 0.1
    while process_time() < until:
        pass
    assert cpu_seconds([os.getpid()]) == pytest.approx(process_time(), abs=0.1)


def test_children_are_listed_while_they_live() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in list_children(os.getpid())
        child.communicate(b"\n")
    assert child.pid not in list_children(os.getpid())


def test_memory_is_of_the_size_of_a_python_with_django() -> None:
    assert 10 < pss_megabytes(os.getpid()) < 2000


def test_a_peak_is_seen_though_it_is_over() -> None:
    before = reset_peak(os.getpid())
    held = b"x" * 64 * 1024 * 1024
    del held
    assert 60 < peak_megabytes(os.getpid()) - before < 200
