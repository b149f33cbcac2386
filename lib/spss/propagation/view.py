"""One class of a carried slice, cropped and brought to a scale where its size is always the same.

Evidence is gathered at a fixed size of the structure in pixels, so that a 6 mm hippocampus and a
60 mm heart look alike to the end rule, and a 512² slice costs no more than a 60² one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spss.propagation.region import Box
from spss.propagation.stack import Carried, DrawnSlice, Stack

Maps = NDArray[np.float32]

RADIUS_PIXELS = 10.0
"""Equivalent radius of the drawn structure on the view's grid."""

FINEST_SHARE = 0.75
"""A view's pixel is never smaller than this share of the image's own: there is no more to see."""

MARGIN_RADII = 1.25
"""Margin around the drawn structure, in its equivalent radii: room to move and to grow."""

LARGEST_SIDE = 160
"""Bound of a view's side in pixels, for long thin structures and far-apart components."""


@dataclass(frozen=True)
class View:
    """One class on its own grid; ``S`` slices are those the drawn slice may speak for.

    Attributes:
        image: ``(S, h, w)`` float32, 0…1.
        warped: ``(S, h, w)``, the drawn slice's image moved onto every slice.
        prior: ``(S, h, w)``, the class's carried probability.
        others: ``(S, h, w)``, the sum of the other foreground classes' probabilities.
        index: the drawn slice's place among the S.
        radius: equivalent radius of the drawn structure, in the view's pixels.
        step: distance between slices, in equivalent radii.
        box: the part of the carried stack's slices that the view shows.
        first: stack index of the view's first slice.
    """

    image: Maps
    warped: Maps
    prior: Maps
    others: Maps
    index: int
    radius: float
    step: float
    box: Box
    first: int

    def back(self, maps: Maps) -> Maps:
        """Maps ``(S, h, w)`` on the view's grid, interpolated onto the box of the stack."""
        rows, columns = self.box
        return resize(maps, (rows.stop - rows.start, columns.stop - columns.start))


def make_view(stack: Stack, drawn: DrawnSlice, carried: Carried, class_index: int) -> View:
    """View of a class that is drawn on the slice."""
    own = drawn.one_hot[class_index] > 0.5
    area_mm2 = float(own.sum()) * stack.pixel_mm[0] * stack.pixel_mm[1]
    radius_mm = float(np.sqrt(area_mm2 / np.pi))
    box = _box(own, stack.pixel_mm, radius_mm)
    size, pixel_mm = _size(box, stack.pixel_mm, radius_mm)
    span = slice(drawn.first, drawn.last + 1)
    part = (span, *box)
    probabilities = carried.probabilities
    others = probabilities[(slice(1, None), *part)].sum(axis=0) - probabilities[class_index][part]
    return View(
        image=resize(stack.slices[part], size),
        warped=resize(carried.warped[part], size),
        prior=resize(probabilities[class_index][part], size),
        others=resize(others, size),
        index=drawn.index - drawn.first,
        radius=radius_mm / pixel_mm,
        step=stack.thickness_mm / radius_mm,
        box=box,
        first=drawn.first,
    )


def resize(maps: Maps, size: tuple[int, int]) -> Maps:
    """``(S, h, w)`` maps on a grid of another size over the same area."""
    if maps.shape[1:] == size:
        return np.ascontiguousarray(maps, np.float32)
    how = cv2.INTER_AREA if size[0] < maps.shape[1] else cv2.INTER_LINEAR
    out = np.empty((len(maps), *size), np.float32)
    for index, each in enumerate(maps):
        cv2.resize(np.ascontiguousarray(each), size[::-1], dst=out[index], interpolation=how)
    return out


def _box(own: NDArray[np.bool_], pixel_mm: tuple[float, float], radius_mm: float) -> Box:
    """Rows and columns of the drawn structure with a margin of some radii."""
    sides = []
    for axis in (0, 1):
        places = np.flatnonzero(own.any(axis=1 - axis))
        margin = int(np.ceil(MARGIN_RADII * radius_mm / pixel_mm[axis])) + 2
        first, last = int(places[0]) - margin, int(places[-1]) + 1 + margin
        sides.append(slice(max(0, first), min(own.shape[axis], last)))
    return sides[0], sides[1]


def _size(
    box: Box, pixel_mm: tuple[float, float], radius_mm: float
) -> tuple[tuple[int, int], float]:
    """Sides of the view's grid, and the size of its square pixels."""
    sides_mm = [(side.stop - side.start) * mm for side, mm in zip(box, pixel_mm, strict=True)]
    pixel = max(radius_mm / RADIUS_PIXELS, FINEST_SHARE * min(pixel_mm))
    pixel = max(pixel, max(sides_mm) / LARGEST_SIDE)
    height, width = (max(4, round(side / pixel)) for side in sides_mm)
    return (height, width), pixel
