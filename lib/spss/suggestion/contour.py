"""How long the contours of a plane are: what drawing it costs a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.types import ClassMap, SpacingMm


def contour_mm(classes: ClassMap, spacing_mm: SpacingMm) -> list[NDArray[np.float32]]:
    """Length of the borders between classes, by axis and plane, along voxel edges.

    A border between two foreground classes counts once: it is drawn once.

    Args:
        classes: ``(I, J, K)`` uint8.
        spacing_mm: millimetres between voxels along each axis.

    Returns:
        Three float32 arrays ``(planes,)``.
    """
    lengths = []
    borders = [np.diff(classes, axis=axis) != 0 for axis in range(3)]
    for axis in range(3):
        first, second = (other for other in range(3) if other != axis)
        across_first = borders[first].sum(axis=(first, second)) * spacing_mm[second]
        across_second = borders[second].sum(axis=(first, second)) * spacing_mm[first]
        lengths.append((across_first + across_second).astype(np.float32))
    return lengths
