"""The last good weights, kept in memory to go back to."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Snapshot:
    """Copies of the networks' and the optimiser's state.

    Args:
        student: the network that is trained.
        teacher: its moving average.
        optimiser: of the student.
    """

    def __init__(
        self, student: nn.Module, teacher: nn.Module, optimiser: torch.optim.Optimizer
    ) -> None:
        self._parts: tuple[Any, Any, Any] = (student, teacher, optimiser)
        self._kept: list[dict[str, Any]] = []
        self.take()

    def take(self) -> None:
        """Keeps the present state, unless it is already broken."""
        if not self._kept or not self._is_broken():
            self._kept = [copy.deepcopy(part.state_dict()) for part in self._parts]

    def restore(self) -> None:
        """Goes back to the kept state."""
        for part, kept in zip(self._parts, self._kept, strict=True):
            part.load_state_dict(copy.deepcopy(kept))

    def restore_if_broken(self) -> bool:
        """Goes back if a weight or buffer is not finite; returns whether it did."""
        broken = self._is_broken()
        if broken:
            self.restore()
        return broken

    def _is_broken(self) -> bool:
        """True if a weight of either network is no finite number."""
        student, teacher, _ = self._parts
        return not all(
            bool(torch.isfinite(value).all())
            for network in (student, teacher)
            for value in network.state_dict().values()
            if value.dtype.is_floating_point
        )
