"""Intensities of one volume to numbers a network can start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.types import ImageArray

CT_LOW, CT_HIGH = -200.0, 6000.0
"""Pooled intensities that reach below the first and stay below the second are Hounsfield units:
air is -1000; MR has no such values unless it was normalised, and then its range is small."""

CLIP_PERCENTILES = (0.5, 99.5)
"""nnU-Net's clipping of CT; also used for other images here, against single bright voxels."""


@dataclass(frozen=True)
class Normalisation:
    """How intensities are scaled.

    Attributes:
        kind: ``zscore`` (each volume by its own mean and deviation) or ``ct`` (all by the set's).
        low: clip below, ``ct`` only.
        high: clip above, ``ct`` only.
        mean: of the set, ``ct`` only.
        deviation: of the set, ``ct`` only.
    """

    kind: str = "zscore"
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0

    def apply(self, image: ImageArray) -> ImageArray:
        """``(X, Y, Z)`` float32 with mean near 0 and deviation near 1."""
        low, high, mean, deviation = self.low, self.high, self.mean, self.deviation
        if self.kind == "zscore":
            low, high = (float(value) for value in np.percentile(image, CLIP_PERCENTILES))
            if low == high:  # nearly all voxels share one value: clipping would leave nothing
                low, high = float(image.min()), float(image.max())
            image = np.clip(image, low, high)
            mean, deviation = float(image.mean()), float(image.std())
        scaled = (np.clip(image, low, high) - mean) / max(deviation, 1e-8)
        return scaled.astype(np.float32)


def plan_normalisation(intensities: NDArray[np.float32]) -> Normalisation:
    """``ct`` if the pooled intensities are Hounsfield units, else ``zscore``."""
    low, high = (float(value) for value in np.percentile(intensities, CLIP_PERCENTILES))
    lowest, highest = float(intensities.min()), float(intensities.max())
    if not (lowest < CT_LOW and highest < CT_HIGH and high - low > -CT_LOW):
        return Normalisation()
    kept = np.clip(intensities, low, high)
    return Normalisation("ct", low, high, float(kept.mean()), float(kept.std()))
