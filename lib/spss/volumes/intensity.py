"""Intensity ranges that a few bright voxels cannot spoil."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.types import ImageArray

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0


def robust_range(data: ImageArray | NDArray[np.floating]) -> tuple[float, float]:
    """The 1st and 99th percentile of the voxels, widened where they coincide.

    In an image that is mostly one value (a mask, a small organ in air) both percentiles fall on
    that value; then the full range is used. Only a constant image gives ``low == high``.
    """
    low, high = np.percentile(data, [LOW_PERCENTILE, HIGH_PERCENTILE])
    if low == high:
        low, high = data.min(), data.max()
    return float(low), float(high)


def is_constant(data: ImageArray | NDArray[np.floating]) -> bool:
    """True if every voxel has the same value: readable, but there is nothing to learn from."""
    return bool(data.min() == data.max())
