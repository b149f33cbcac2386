"""Is there room on the disk and in memory?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from spss_app.health.finding import Finding, Level

GIB = 2**30
ENOUGH_DISK_GIB = 5.0
"""Models, logs, the ledger and sample data of a first project."""

ENOUGH_MEMORY_GIB = 4.0
"""One server (about 1.5 GiB) and one small training beside it."""


def check_machine() -> list[Finding]:
    """Processors, free memory, free disk here."""
    return [
        Finding(Level.OK, f"{os.cpu_count()} processors"),
        judge_memory(free_memory_gib()),
        judge_disk(shutil.disk_usage(Path.cwd()).free / GIB, Path.cwd()),
    ]


def judge_memory(free_gib: float | None) -> Finding:
    """A warning below ``ENOUGH_MEMORY_GIB``."""
    if free_gib is None:
        return Finding(Level.OK, "free memory unknown on this system")
    text = f"{free_gib:.1f} GiB of memory free"
    if free_gib >= ENOUGH_MEMORY_GIB:
        return Finding(Level.OK, text)
    return Finding(
        Level.WARNING,
        f"{text}: server and training may be killed by the system",
        "close other programs; keep volumes small",
    )


def judge_disk(free_gib: float, folder: Path) -> Finding:
    """A warning below ``ENOUGH_DISK_GIB``."""
    text = f"{free_gib:.1f} GiB of disk free at {folder}"
    if free_gib >= ENOUGH_DISK_GIB:
        return Finding(Level.OK, text)
    return Finding(Level.WARNING, f"{text}: models and logs may not fit", "free some space")


def free_memory_gib(meminfo: Path = Path("/proc/meminfo")) -> float | None:
    """Memory that programs can still get, from Linux; None elsewhere."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / GIB
    return None
