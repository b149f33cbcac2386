"""How much of the task the teacher knows already: what it may teach depends on that."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spss.methods.losses import one_hot, total
from spss.types import UNDECIDED

MEMORY = 0.9
"""Share of the sums that stays from step to step: a step has a few annotated planes only."""


class Competence:
    """Dice of the teacher on the annotated voxels of the last batches, as a share of enough.

    A teacher that does not know the task yet is sure of one thing only, the background, and would
    teach that. Self-paced learning and curricula let difficulty grow with what was learned, not
    with time (Platanios et al. 2019, arXiv:1903.09848, call it competence).

        D_c = 2 sum(p t) / sum(p² + t²),   share = clip((mean_c D_c - low) / (high - low), 0, 1)

    with the sums over annotated voxels, decaying by `MEMORY` a step, c over the foreground classes
    that were annotated.

    Args:
        class_count: background included.
        low: mean Dice up to which the share is 0.
        high: mean Dice from which it is 1; 0 switches the gate off.
    """

    def __init__(self, class_count: int, *, low: float, high: float) -> None:
        self._class_count = class_count
        self._low, self._high = low, high
        self._overlap = torch.zeros(class_count - 1)
        self._both = torch.zeros(class_count - 1)
        self._wanted = torch.zeros(class_count - 1)

    @torch.no_grad()
    def update(self, teacher: Tensor, truth: Tensor) -> None:
        """Takes one batch into account.

        Args:
            teacher: ``(B, C, X, Y, Z)`` probabilities.
            truth: ``(B, X, Y, Z)`` annotated classes, ``UNDECIDED`` elsewhere.
        """
        known = (truth != UNDECIDED)[:, None]
        wanted = (one_hot(truth, self._class_count) * known)[:, 1:]
        found = (teacher * known)[:, 1:]
        dims = (0, 2, 3, 4)
        sums = total(
            torch.stack(
                [
                    (found * wanted).sum(dims),
                    (found.square() + wanted.square()).sum(dims),
                    wanted.sum(dims),
                ]
            )
        ).cpu()
        self._overlap = MEMORY * self._overlap + sums[0]
        self._both = MEMORY * self._both + sums[1]
        self._wanted = MEMORY * self._wanted + sums[2]

    @property
    def dice(self) -> float | None:
        """Mean over the annotated foreground classes; None before there were any."""
        seen = self._wanted > 0
        if not bool(seen.any()):
            return None
        return float((2 * self._overlap[seen] / self._both[seen]).mean())

    @property
    def share(self) -> float:
        """0…1: how much of its weight the teacher has earned; 1 while nothing tells."""
        dice = self.dice
        if dice is None or self._high <= 0:
            return 1.0
        return min(max((dice - self._low) / (self._high - self._low), 0.0), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {"overlap": self._overlap, "both": self._both, "wanted": self._wanted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._overlap, self._both = state["overlap"].cpu(), state["both"].cpu()
        self._wanted = state["wanted"].cpu()
