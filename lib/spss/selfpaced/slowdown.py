"""When a network has learned what its labels have in common: its loss falls more slowly."""

from __future__ import annotations

import math
from typing import Any

BINS = 80
"""In which losses are noted, per unit of time."""

LEAST_BINS = 8
"""Before which nothing can be said: quarters of less are too short."""


class Slowdown:
    """Losses of a training over its time, and how much their fall slows down.

    Networks learn first what noisy labels have in common, fast, and then their errors, slowly
    (Arpit et al., ICML 2017; Liu et al., "Adaptive Early-Learning Correction for Segmentation from
    Noisy Annotations", CVPR 2022, who wait for it before a network may correct labels). At time t

        slowdown = mean loss over t/2…t  /  mean loss over t/4…t/2:

    1 if the loss stands still, about ½ if it falls as 1/t.
    """

    def __init__(self) -> None:
        self._sums: list[float] = []
        self._counts: list[int] = []

    def add(self, time: float, loss: float) -> None:
        """Notes the loss of a step; a loss that is no number is left out.

        Args:
            time: any that grows as the network learns, such as the age of propagated labels, of
                which 1 is all it can learn.
            loss: of this step, always of the same kind.
        """
        if not math.isfinite(loss):
            return
        missing = int(time * BINS) + 1 - len(self._sums)
        self._sums += [0.0] * missing
        self._counts += [0] * missing
        self._sums[int(time * BINS)] += loss
        self._counts[int(time * BINS)] += 1

    @property
    def value(self) -> float:
        """The slowdown so far; 0 as long as too little was seen."""
        now = len(self._sums)
        if now < LEAST_BINS:
            return 0.0
        before = self._mean(now // 4, now // 2)
        return self._mean(now // 2, now) / before if before > 0 else 0.0

    def state_dict(self) -> dict[str, Any]:
        """The losses noted."""
        return {"sums": list(self._sums), "counts": list(self._counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._sums, self._counts = state["sums"], state["counts"]

    def _mean(self, first: int, last: int) -> float:
        return sum(self._sums[first:last]) / max(sum(self._counts[first:last]), 1)
