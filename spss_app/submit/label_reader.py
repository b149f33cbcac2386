"""Reads a submitted label file onto the image's grid: NIfTI, NRRD and Slicer's ``.seg.nrrd``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import ClassMap
from spss.volumes import Grid, check_same_grid, read_label
from spss.volumes.formats import itk_affine
from spss.volumes.grid import AFFINE_TOLERANCE_MM, OnGrid


@dataclass(frozen=True)
class LabelFile:
    """What a file says.

    Attributes:
        values: ``(I, J, K)`` uint8 voxel values on the image's grid.
        names: name of each value, if the file itself names them (``.seg.nrrd``); else empty.
    """

    values: ClassMap
    names: dict[int, str]


def read_label_file(path: Path, *, like: OnGrid) -> LabelFile:
    """Reads a label map.

    Raises:
        InputError: the file is broken, lies on another grid, or holds values that are no classes.
    """
    if path.name.lower().endswith(".nrrd"):
        image = _read_nrrd(path)
        names = _segments(image)
        if names:
            return _from_segments(image, names, path.name, like)
    return LabelFile(read_label(path, like=like, allow_undecided=True), {})


def _read_nrrd(path: Path) -> Any:
    import SimpleITK as sitk

    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        msg = f"File {path.name} cannot be read, it is corrupt or truncated: export it again."
        raise InputError(msg) from error


def _segments(image: Any) -> list[tuple[str, int, int]]:
    """(name, layer, value) of each segment that Slicer describes in the header."""
    found = []
    number = 0
    while image.HasMetaDataKey(f"Segment{number}_Name"):
        layer, value = (
            int(_header(image, f"Segment{number}_{key}", default))
            for key, default in (("Layer", "0"), ("LabelValue", str(number + 1)))
        )
        found.append((_header(image, f"Segment{number}_Name", ""), layer, value))
        number += 1
    return found


def _header(image: Any, key: str, default: str) -> str:
    return str(image.GetMetaData(key)) if image.HasMetaDataKey(key) else default


def _from_segments(
    image: Any, segments: list[tuple[str, int, int]], name: str, like: OnGrid
) -> LabelFile:
    """Segments get the values 1, 2, …; where two overlap the later one wins, as in a label map."""
    layers = _layers(image)
    box = _place(image, name, like)
    values = np.zeros(like.shape, np.uint8)
    part = values[box]
    if part.shape != layers.shape[1:] or len(segments) >= 255:
        msg = f"Segmentation {name} does not fit into its image: export it with the image's grid."
        raise InputError(msg)
    for number, (_, layer, value) in enumerate(segments, start=1):
        if not 0 <= layer < len(layers):
            msg = f"Segmentation {name} names a layer {layer} that it does not have."
            raise InputError(msg)
        part[layers[layer] == value] = number
    return LabelFile(values, {number: s[0] for number, s in enumerate(segments, start=1)})


def _layers(image: Any) -> NDArray[Any]:
    """``(L, I, J, K)``: overlapping segments are kept in layers."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(image)  # (K, J, I) or (K, J, I, L)
    if array.ndim == 3:
        return array.T[np.newaxis]
    if array.ndim == 4:
        return array.transpose(3, 2, 1, 0)
    msg = f"A segmentation must be 3-D, got {array.ndim} axes."
    raise InputError(msg)


def _place(image: Any, name: str, like: OnGrid) -> tuple[slice, slice, slice]:
    """Where the (cropped) segmentation lies in the image.

    Raises:
        InputError: its voxels are not voxels of the image.
    """
    affine = itk_affine(image)
    size = image.GetSize()[:3]
    offset = np.linalg.solve(like.affine[:3, :3], affine[:3, 3] - like.affine[:3, 3])
    start = np.rint(offset).astype(int)
    expected = np.array(like.affine)
    expected[:3, 3] += like.affine[:3, :3] @ start
    same = np.abs(affine - expected).max() <= AFFINE_TOLERANCE_MM
    inside = bool((start >= 0).all() and (start + size <= like.shape).all())
    if not (same and inside):
        check_same_grid(Grid(tuple(size), affine, name), like)
    first, second, third = (slice(int(s), int(s) + n) for s, n in zip(start, size, strict=True))
    return (first, second, third)
