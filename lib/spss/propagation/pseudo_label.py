"""The result of propagation: soft classes, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spss.types import ClassMap, Probabilities, ScalarMap


@dataclass(frozen=True)
class PseudoLabel:
    """A soft label for every voxel of a volume, carried from annotated planes.

    Attributes:
        probabilities: ``(C, I, J, K)`` float32, sums to one over C.
        reliability: ``(I, J, K)`` float32 in 0…1: probability that the most likely class is
            right. Exactly 1 on annotated voxels.
    """

    probabilities: Probabilities
    reliability: ScalarMap

    @property
    def classes(self) -> ClassMap:
        """``(I, J, K)`` uint8, the most likely class."""
        return np.argmax(self.probabilities, axis=0).astype(np.uint8)
