"""CPU time and memory of processes, from Linux's /proc."""

import os
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def list_children(pid: int) -> list[int]:
    return [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text(encoding="ascii").split()
    ]


def cpu_seconds(pids: list[int]) -> float:
    """The processor time of these processes since they began."""
    ticks = 0
    for pid in pids:
        # The name stands in brackets and may hold anything; user and system time are the 12th and 13th field after it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_A_SECOND


def pss_megabytes(pid: int) -> float:
    """The memory of a process, its share of what it has in common with others counted as that share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def reset_peak(pid: int) -> float:
    """Begin to look for the peak of a process's memory. Gives its resident megabytes now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return peak_megabytes(pid)


def peak_megabytes(pid: int) -> float:
    """The most resident memory of a process since its start, or since `reset_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)
