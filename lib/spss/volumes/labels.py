"""Label maps from disk: whole class indices on the image's grid, or a clear sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap
from spss.volumes.files import image_name
from spss.volumes.formats import Stored, open_stored
from spss.volumes.grid import Grid, OnGrid, check_affine, check_same_grid

_INTEGER_TOLERANCE = 1e-3
"""Rounding that a float label saved with a scale factor may carry."""


def read_label(
    path: str | Path,
    *,
    like: OnGrid | None = None,
    class_count: int | None = None,
    allow_undecided: bool = False,
    allow_empty: bool = True,
) -> ClassMap:
    """Reads a label map as class indices.

    Args:
        path: NIfTI, NRRD or MetaImage.
        like: image whose grid the label must lie on.
        class_count: classes including background; larger values are refused. None accepts all
            that fit.
        allow_undecided: accept ``UNDECIDED`` (255) as "nobody looked".
        allow_empty: accept a label without any foreground.

    Raises:
        InputError: as ``read_image``; or the grid differs from ``like``'s; or a value is not a
            whole number, negative, or unknown; or the label is empty and must not be.
    """
    stored = _open_label(path, like)
    name = image_name(path)
    classes = _to_classes(stored.load(), name, class_count, allow_undecided)
    if not allow_empty and not (classes % UNDECIDED).any():
        msg = f"Label {name} is empty, no voxel has a class: draw something in it first."
        raise InputError(msg)
    return classes


def read_label_planes(
    path: str | Path,
    planes: Iterable[Plane],
    *,
    like: OnGrid | None = None,
    class_count: int | None = None,
) -> ClassMap:
    """Reads only ``planes`` of a label map; every other voxel is 0, whatever the file says there.

    Nothing outside the planes is looked at, so that a truth used to simulate an annotator cannot
    leak, not even through a check.

    Raises:
        InputError: as ``read_label``, for the planes' voxels; or a plane lies outside.
    """
    stored = _open_label(path, like)
    name = image_name(path)
    values = stored.load()
    classes = np.zeros(stored.shape, np.uint8)
    for plane in planes:
        plane.check(stored.shape)
        classes[plane.slices] = _to_classes(values[plane.slices], name, class_count, False)
    return classes


def _open_label(path: str | Path, like: OnGrid | None) -> Stored:
    """A label that lies elsewhere than its image is refused before a voxel is read."""
    stored = open_stored(path)
    name = image_name(path)
    check_affine(stored.affine, name)
    if like is not None:
        check_same_grid(Grid(stored.shape, stored.affine, name), like)
    return stored


def _to_classes(
    values: NDArray[Any], name: str, class_count: int | None, allow_undecided: bool
) -> ClassMap:
    """``uint8``; a value that is no class is named in the error."""
    if values.dtype.kind == "f":
        values = _whole_numbers(values, name)
    low, high = int(values.min()), int(values.max())
    limit = UNDECIDED if class_count is None else class_count
    bad = (values < 0) | (values >= limit)
    if allow_undecided:
        bad &= values != UNDECIDED
    if (low < 0 or high >= limit) and bad.any():
        unknown = sorted({int(value) for value in values[bad][:100000]})[:5]
        msg = (
            f"Label {name} has the value {', '.join(map(str, unknown))}, which is no class here: "
            f"values must lie between 0 (background) and {limit - 1}."
        )
        raise InputError(msg)
    return np.ascontiguousarray(values, dtype=np.uint8)


def _whole_numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Rounds away what floats lost; resampled labels are told apart and refused."""
    if not np.isfinite(values).all():
        msg = f"Label {name} has voxels that are NaN or infinite: every voxel needs a class index."
        raise InputError(msg)
    whole = np.rint(values)
    wrong = np.abs(values - whole) > _INTEGER_TOLERANCE
    if wrong.any():
        msg = (
            f"Label {name} has {int(wrong.sum())} voxels that are no whole number, such as "
            f"{float(values[wrong][0]):g}: resample labels with nearest neighbour, not linearly."
        )
        raise InputError(msg)
    return whole
