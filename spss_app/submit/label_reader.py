"""Reads a submitted label file onto the image's grid: NIfTI, NRRD and Slicer's ``.seg.nrrd``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap
from spss.volumes import Grid, check_same_grid, read_label
from spss.volumes.formats import itk_affine, itk_fault, unreadable
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
        reader = _open_nrrd(path)
        segments = _segments(reader)
        if segments:
            return _from_segments(reader, segments, path, like)
    return LabelFile(read_label(path, like=like, allow_undecided=True), {})


def _open_nrrd(path: Path) -> Any:
    """The header alone: it may claim more voxels than there is memory."""
    import SimpleITK as sitk

    if fault := itk_fault(path):
        raise unreadable(path, Exception(fault))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path) from error
    return reader


def _unreadable(path: Path) -> InputError:
    return InputError(
        f"File {path.name} cannot be read, it is corrupt or truncated: export it again."
    )


def _segments(image: Any) -> list[tuple[str, int, int]]:
    """(name, layer, value) of each segment that Slicer describes in the header."""
    found = []
    number = 0
    while image.HasMetaDataKey(f"Segment{number}_Name"):
        layer, value = (
            _number(image, f"Segment{number}_{key}", default)
            for key, default in (("Layer", 0), ("LabelValue", number + 1))
        )
        found.append((_header(image, f"Segment{number}_Name", ""), layer, value))
        number += 1
    return found


def _number(image: Any, key: str, default: int) -> int:
    """A whole number of the file's header."""
    text = _header(image, key, str(default))
    try:
        return int(text)
    except ValueError as error:
        msg = f"The segmentation's {key} is {text!r:.100}, no whole number: export it again."
        raise InputError(msg) from error


def _header(image: Any, key: str, default: str) -> str:
    return str(image.GetMetaData(key)) if image.HasMetaDataKey(key) else default


def _from_segments(
    reader: Any, segments: list[tuple[str, int, int]], path: Path, like: OnGrid
) -> LabelFile:
    """Segments get the values 1, 2, …; where two overlap the later one wins, as in a label map."""
    name = path.name
    box = _place(reader, name, like)
    if len(segments) >= UNDECIDED or reader.GetNumberOfComponents() > len(segments):
        msg = (
            f"Segmentation {name} has {len(segments)} segments in "
            f"{reader.GetNumberOfComponents()} layers: use at most {UNDECIDED - 1} segments, and "
            "no more layers than segments."
        )
        raise InputError(msg)
    layers = _layers(reader, path)
    values = np.zeros(like.shape, np.uint8)
    part = values[box]
    for number, (_, layer, value) in enumerate(segments, start=1):
        if not 0 <= layer < len(layers):
            msg = f"Segmentation {name} names a layer {layer} that it does not have."
            raise InputError(msg)
        part[layers[layer] == value] = number
    return LabelFile(values, {number: s[0] for number, s in enumerate(segments, start=1)})


def _layers(reader: Any, path: Path) -> NDArray[Any]:
    """``(L, I, J, K)``: overlapping segments are kept in layers."""
    import SimpleITK as sitk

    try:
        array = sitk.GetArrayFromImage(reader.Execute())  # (K, J, I) or (K, J, I, L)
    except (RuntimeError, MemoryError) as error:
        raise _unreadable(path) from error
    return array.T[np.newaxis] if array.ndim == 3 else array.transpose(3, 2, 1, 0)


def _place(image: Any, name: str, like: OnGrid) -> tuple[slice, slice, slice]:
    """Where the (cropped) segmentation lies in the image.

    Raises:
        InputError: its voxels are not voxels of the image.
    """
    affine = itk_affine(image)
    size = image.GetSize()
    if len(size) != 3:
        msg = f"Segmentation {name} has {len(size)} axes instead of 3: export it again."
        raise InputError(msg)
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
