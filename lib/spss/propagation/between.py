"""Which classes go on from one drawn slice to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_WIDTHS = 1.0
"""Gap between two drawn slices, in widths of the structure, up to which it is taken to go on.

Farther apart they may show two: a slice through either kidney, both of one class, says nothing of
the spine between them."""


def goes_on(
    one: NDArray[np.uint8], other: NDArray[np.uint8], *, gap_mm: float, pixel_mm2: float
) -> frozenset[int]:
    """Classes drawn in both slices, wide enough in either to reach from one to the other.

    A structure's width is the diameter of the circle of its area.

    Args:
        one: ``(H, W)`` classes of a drawn slice.
        other: those of the next drawn slice.
        gap_mm: distance between the two.
        pixel_mm2: area of a pixel.
    """
    size = int(max(one.max(), other.max())) + 1
    pixels = np.minimum(*(np.bincount(each.ravel(), minlength=size) for each in (one, other)))
    width_mm = 2 * np.sqrt(pixels * pixel_mm2 / np.pi)
    reaching = (pixels > 0) & (width_mm * MOST_WIDTHS >= gap_mm)
    return frozenset(np.flatnonzero(reaching).tolist()) - {0}
