"""Where in an image anything is to be seen: a stand-in for the organ before any draft."""

from __future__ import annotations

import numpy as np

from spss.types import ImageArray

BUSY_SHARE = 0.5
"""A plane belongs to the content if its structure is at least this share of the busiest plane's."""

_LARGEST_EDGE = 96
"""Voxels along an axis that are looked at: more say nothing new about where the body lies."""

Extent = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def summarise_content(image: ImageArray) -> Extent:
    """First and last plane with content, by axis.

    Content is the absolute gradient, summed over the plane: air and padding have none, a plane
    through the middle of a body has more than one through its end. The smoothed curve's part above
    half of its maximum is kept.

    Args:
        image: ``(I, J, K)`` float32; constant images have content everywhere.
    """
    step = tuple(max(1, -(-size // _LARGEST_EDGE)) for size in image.shape)
    coarse = image[:: step[0], :: step[1], :: step[2]].astype(np.float32)
    low, high = np.percentile(coarse, (1, 99))  # metal must not outshine the body
    coarse = np.clip(coarse, low, high)
    busy = np.zeros(coarse.shape, np.float32)
    for axis in range(3):
        if coarse.shape[axis] > 1:
            busy += np.abs(np.gradient(coarse, axis=axis))
    first, second, third = (_extent(busy, axis, step[axis], image.shape[axis]) for axis in range(3))
    return (first, second, third)


def _extent(busy: np.ndarray, axis: int, step: int, size: int) -> tuple[int, int]:
    """First and last plane with much to see, on a smoothed curve so that one plane decides less."""
    others = tuple(other for other in range(3) if other != axis)
    curve = busy.sum(axis=others, dtype=np.float64)
    if len(curve) >= 3:
        padded = np.concatenate([curve[:1], curve, curve[-1:]])
        curve = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    planes = np.flatnonzero(curve >= BUSY_SHARE * curve.max())
    return (int(planes[0]) * step, min(int(planes[-1]) * step + step - 1, size - 1))
