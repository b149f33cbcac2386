"""What to try when memory runs out: no pass over the whole, smaller windows, then the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spss.types import Shape

SMALLEST_WINDOW = 16
"""Voxels along an axis; smaller windows see too little to be worth a try."""


@dataclass(frozen=True)
class Effort:
    """One way to compute.

    Attributes:
        device: where.
        window: voxels of a window.
        whole: whether a small volume may go through in one pass.
    """

    device: torch.device
    window: Shape
    whole: bool

    def in_words(self) -> str:
        """For a person, after "Memory ran out: predicted"."""
        window = " x ".join(map(str, self.window))
        where = "on the CPU, " if self.device.type == "cpu" else ""
        return f"{where}in windows of {window} voxels"


def efforts(device: torch.device, patch: Shape, multiple: Sequence[int]) -> list[Effort]:
    """From what is best to what needs least memory.

    Args:
        device: where to compute if it can be.
        patch: the planned window.
        multiple: a window's edges must be multiples of it.
    """
    windows = [patch]
    while len(windows) < 4:
        smaller = tuple(
            max(min(edge, _whole_steps(SMALLEST_WINDOW, step)), _whole_steps(edge // 2, step))
            for edge, step in zip(windows[-1], multiple, strict=True)
        )
        if np.prod(smaller) >= np.prod(windows[-1]):
            break
        windows.append(smaller)  # type: ignore[arg-type]
    devices = [device] if device.type == "cpu" else [device, torch.device("cpu")]
    found = [Effort(where, window, False) for where in devices for window in windows]
    return [Effort(device, patch, True), *found]


def _whole_steps(size: int, step: int) -> int:
    """The smallest multiple of ``step`` that is not below ``size``."""
    return -(-size // step) * step
