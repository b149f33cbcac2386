"""How many threads propagation may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2


def thread_count(threads: int | None = None) -> int:
    """``threads`` if given, else ``OMP_NUM_THREADS``, else the cores this process may use."""
    if threads is not None:
        return max(1, threads)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keeps OpenCV to one thread a call: whole slice pairs run side by side instead."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
