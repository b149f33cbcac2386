"""Where the organ lies in a volume, and how much of it the planes of each axis show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spss.errors import InputError
from spss.types import ClassMap, Mask, SpacingMm

MIDDLE = (0.2, 0.8)
"""Part of the organ's extent that counts as its middle: the middle 3/5, as in the benchmark."""

BROAD = 0.8
"""Planes with at least this share of the largest foreground area are the organ's broad part."""


@dataclass(frozen=True)
class OrganSummary:
    """Numbers of one draft or prediction, by voxel axis.

    Attributes:
        extent: first and last plane index with foreground.
        broad: first and last plane index of the broad part. A plane drawn there propagates best:
            little of the organ lies outside its outline.
        classes_shown: mean number of foreground classes on a plane of the organ's middle 3/5.
        area_mm2: mean foreground area on such a plane.
    """

    extent: tuple[tuple[int, int], ...]
    broad: tuple[tuple[int, int], ...]
    classes_shown: tuple[float, ...]
    area_mm2: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads."""
        return {
            "extent": [list(pair) for pair in self.extent],
            "broad": [list(pair) for pair in self.broad],
            "classes_shown": [round(value, 3) for value in self.classes_shown],
            "area_mm2": [round(value, 2) for value in self.area_mm2],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OrganSummary:
        """Raises InputError if ``data`` is not what `to_json` wrote."""
        try:
            return cls(
                tuple((int(low), int(high)) for low, high in data["extent"]),
                tuple((int(low), int(high)) for low, high in data["broad"]),
                tuple(float(value) for value in data["classes_shown"]),
                tuple(float(value) for value in data["area_mm2"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"Not an organ summary ({error!r}): delete it and it is computed anew."
            raise InputError(msg) from error


def summarise_organ(classes: ClassMap, *, spacing_mm: SpacingMm) -> OrganSummary | None:
    """Summarises a hard label map (a propagated draft or a prediction).

    Args:
        classes: ``(I, J, K)`` uint8, 0 = background.
        spacing_mm: millimetres between voxels along each axis.

    Returns:
        None if there is no foreground.
    """
    foreground = classes > 0
    if not foreground.any():
        return None
    extent, broad, shown, area = [], [], [], []
    values = [int(value) for value in np.unique(classes) if value > 0]
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        count = foreground.sum(axis=others)
        extent.append(_ends(count > 0))
        broad.append(_ends(count >= BROAD * count.max()))
        first, last = middle_of(extent[-1])
        present = sum((classes == value).any(axis=others).astype(int) for value in values)
        shown.append(float(np.mean(present[first : last + 1])))
        voxel_mm2 = spacing_mm[others[0]] * spacing_mm[others[1]]
        area.append(float(count[first : last + 1].mean() * voxel_mm2))
    return OrganSummary(tuple(extent), tuple(broad), tuple(shown), tuple(area))


def _ends(chosen: Mask) -> tuple[int, int]:
    planes = np.flatnonzero(chosen)
    return (int(planes[0]), int(planes[-1]))


def middle_of(extent: tuple[int, int]) -> tuple[int, int]:
    """First and last plane of the extent's middle 3/5; at least one plane."""
    low, high = extent
    length = high - low
    first = int(np.ceil(low + MIDDLE[0] * length))
    last = int(np.floor(low + MIDDLE[1] * length))
    return (first, last) if first <= last else ((low + high) // 2,) * 2
