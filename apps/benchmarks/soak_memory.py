"""The memory of a server and its training over time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

EVERY_SECONDS = 5.0
_WARM_SECONDS = 300.0
"""What a server loads when it is first asked is no growth."""


class MemoryRecord:
    """Samples the resident memory of a process and of its children; a context manager.

    Attributes:
        samples: (seconds since the start, server GB, children GB).

    Args:
        process_id: of the server.
    """

    def __init__(self, process_id: int) -> None:
        self.samples: list[tuple[float, float, float]] = []
        self._process = psutil.Process(process_id)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        started = time.monotonic()
        while True:
            try:
                own = self._process.memory_info().rss
                children = sum(map(_resident, self._process.children(recursive=True)))
            except psutil.NoSuchProcess:
                return
            seconds = round(time.monotonic() - started, 1)
            self.samples.append((seconds, round(own / 1e9, 3), round(children / 1e9, 3)))
            if self._over.wait(EVERY_SECONDS):
                return


def growth(samples: Sequence[Sequence[float]]) -> dict[str, float]:
    """Does the server's memory grow? Medians of a minute, in GB, and the highest value.

    Args:
        samples: as `MemoryRecord.samples`.
    """
    count = max(1, round(60 / EVERY_SECONDS))
    warm = [own for seconds, own, _ in samples if seconds >= _WARM_SECONDS]
    own = warm or [sample[1] for sample in samples]
    return {
        "after_5_minutes": round(float(np.median(own[:count])), 3),
        "in_the_end": round(float(np.median(own[-count:])), 3),
        "highest": round(max(sample[1] for sample in samples), 3),
    }


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
