"""Fills holes inside structures, for any number of classes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_fill_holes

from spss.errors import InputError
from spss.types import ClassMap


def fill_holes(classes: ClassMap, *, class_count: int) -> ClassMap:
    """Background enclosed by a single class becomes that class.

    SPSS and PLN fill every enclosed background voxel (binary). Here only background that one class
    encloses alone is filled, and other classes inside it stay, so that the blood in a ventricle
    survives its myocardium. Classes are filled in rising order; a hole filled by one is no longer
    a hole of the next.

    Args:
        classes: ``(I, J, K)`` uint8.
        class_count: number of classes including background.
    """
    if classes.ndim != 3:
        msg = f"Hole filling needs a 3-D class map, got shape {classes.shape}."
        raise InputError(msg)
    filled = classes.copy()
    for index in range(1, class_count):
        structure = classes == index
        if structure.any():
            filled[binary_fill_holes(structure) & (filled == 0)] = index
    return np.ascontiguousarray(filled)
