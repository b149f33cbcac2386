"""Several drawn planes, parallel or crossing, become one soft label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spss.propagation.pseudo_label import PseudoLabel
from spss.types import Shape

LEAST_WEIGHT = 1e-3
"""So that a voxel only unreliable planes reach still gets their opinion."""


@dataclass
class Fusion:
    """Sums up what each drawn plane says, weighted by reliability over distance.

    ``w = (reliability + LEAST_WEIGHT) / distance_mm``: between two parallel planes of equal
    reliability that is the linear blend.
    """

    class_count: int
    shape: Shape
    probabilities: NDArray[np.float32] = field(init=False)
    reliability: NDArray[np.float32] = field(init=False)
    weight: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.probabilities = np.zeros((self.class_count, *self.shape), np.float32)
        self.reliability = np.zeros(self.shape, np.float32)
        self.weight = np.zeros(self.shape, np.float32)

    def add(
        self,
        where: tuple[slice, slice, slice],
        probabilities: NDArray[np.float32],
        reliability: NDArray[np.float32],
        distance_mm: NDArray[np.float32],
    ) -> None:
        """Adds one plane's opinion inside the box ``where``.

        Args:
            where: box of the volume that the arrays cover.
            probabilities: ``(C, i, j, k)``.
            reliability: ``(i, j, k)``.
            distance_mm: broadcastable to ``(i, j, k)``, > 0.
        """
        weight = (reliability + LEAST_WEIGHT) / distance_mm
        self.probabilities[(slice(None), *where)] += weight * probabilities
        self.reliability[where] += weight * reliability
        self.weight[where] += weight

    def result(self) -> PseudoLabel:
        """Voxels that no plane speaks for are background."""
        silent = self.weight <= 0
        self.probabilities[0][silent] = 1.0
        self.reliability[silent] = 1.0
        self.weight[silent] = 1.0
        self.probabilities /= self.weight
        self.reliability /= self.weight
        return PseudoLabel(self.probabilities, np.clip(self.reliability, 0.0, 1.0))
