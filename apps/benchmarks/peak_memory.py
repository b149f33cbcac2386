"""The most memory a piece of work takes, beside what the process held before it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_PROCESS = Path("/proc/self")
_FORGET_PEAK = "5"
"""Written to ``clear_refs``, sets the peak back to what is resident now (Linux, ``man 5 proc``)."""


def with_peak_mb(work: Callable[[], Result]) -> tuple[Result, float | None]:
    """What ``work`` returns, and its peak in MB; None where the system does not tell.

    Memory that was freed before and not given back to the system would be used again unseen: it is
    given back first.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
        (_PROCESS / "clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
        before = _resident_mb("VmRSS")
    except (OSError, KeyError, AttributeError):
        return work(), None
    result = work()
    return result, max(0.0, _resident_mb("VmHWM") - before)


def _resident_mb(name: str) -> float:
    fields = dict(
        line.split(":", 1) for line in (_PROCESS / "status").read_text("ascii").splitlines()
    )
    return int(fields[name].split()[0]) * 1024 / 1e6
