"""Which family of parallel planes shows most of the organ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spss.suggestion.image_state import ImageState

COARSEST_IN_PLANE = 2.0
"""A family is offered if its in-plane voxels are at most this much coarser than the finest's."""

STAY = 1.2
"""Factor on the area of the family drawn so far: two alike families are not mixed for nothing."""


def choose_axis(images: Sequence[ImageState]) -> int:
    """The axis whose planes are worth drawing in this cohort.

    Thick slices rule out the families that cut across them. Where drafts or predictions exist,
    the family that shows the most classes on its middle planes wins, and among alike ones the
    larger foreground area, since a large cross-section leaves the fewest planes to propagate to.
    Before that, the family whose field of view is largest.

    Args:
        images: at least one.
    """
    spacing_mm = np.median([image.spacing_mm for image in images], axis=0)
    allowed = _fine_axes(spacing_mm)
    summaries = [image.organ for image in images if image.organ is not None]
    if summaries:
        classes = np.mean([summary.classes_shown for summary in summaries], axis=0)
        area_mm2 = np.mean([summary.area_mm2 for summary in summaries], axis=0)
        drawn = _drawn_most(images)
        if drawn is not None:
            area_mm2[drawn] *= STAY
        # a quarter of a class is within what single drafts differ by
        return max(allowed, key=lambda axis: (round(4 * classes[axis]), area_mm2[axis]))
    length_mm = np.median([image.shape for image in images], axis=0) * spacing_mm
    return min(allowed, key=lambda axis: length_mm[axis])


def _fine_axes(spacing_mm: np.ndarray) -> list[int]:
    coarsest = [max(np.delete(spacing_mm, axis)) for axis in range(3)]
    return [axis for axis in range(3) if coarsest[axis] <= COARSEST_IN_PLANE * min(coarsest)]


def _drawn_most(images: Sequence[ImageState]) -> int | None:
    """The axis that people chose most often so far; None before any plane."""
    counts = np.zeros(3, int)
    for image in images:
        for plane in image.planes:
            counts[plane.axis] += 1
    return int(counts.argmax()) if counts.any() else None
