"""A DICOM Segmentation from any viewer, put on the grid of the series it belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import ClassMap
from spss_app.dicomweb.segmentation_writer import PRIVATE_CREATOR, PRIVATE_GROUP
from spss_app.dicomweb.series import Series

GRID_TOLERANCE = 0.1
"""How far, in voxels, a SEG's voxel centre may lie from the image's before it is another grid.
Viewers write positions with 3 to 6 decimals, which is far below a tenth of any voxel."""

_UID = re.compile(r"[0-9.]{1,64}")

_DAMAGED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError),
    *(TypeError, ValueError),
)
"""What absent, doubled and wrong values raise somewhere in the middle."""


@dataclass(frozen=True)
class SegmentationLabel:
    """What a SEG says about one image.

    Attributes:
        classes: ``(I, J, K)`` uint8 on the image's grid; value n is ``names[n - 1]``.
        names: segment labels, in the order of their segment numbers.
        planes: the annotated planes, if this project wrote the SEG; None when it does not say.
    """

    classes: ClassMap
    names: tuple[str, ...]
    planes: tuple[Plane, ...] | None = None


def referenced_series(dataset: Dataset) -> str | None:
    """SeriesInstanceUID of the images a SEG was drawn on, or None if it does not say."""
    items = dataset.get("ReferencedSeriesSequence")
    first = items[0] if isinstance(items, Sequence) and items else None
    uid = first.get("SeriesInstanceUID") if isinstance(first, Dataset) else None
    return str(uid) if uid else None


def read_segmentation(dataset: Dataset, series: Series) -> SegmentationLabel:
    """Reads a BINARY, FRACTIONAL (above one half) or LABELMAP segmentation.

    Frames are placed by their own position, orientation and spacing, not by their order, so that
    cropped, flipped or permuted grids are read as well, as long as voxels coincide.

    Raises:
        InputError: if the SEG belongs to another series or frame of reference, its grid is not the
            images', two segments carry one name or cover one voxel, or it is damaged.
    """
    _decode(dataset)
    name = f"Segmentation {_shown(dataset.get('SOPInstanceUID'))}"
    try:
        return _read(dataset, series, name)
    except InputError:
        raise
    except _DAMAGED as error:
        raise _damaged(name, error) from error


def _shown(uid: object) -> str:
    """A UID for a sentence; a damaged one may hold anything, of any length."""
    return str(uid) if _UID.fullmatch(str(uid)) else "without a usable UID"


def _decode(dataset: Dataset) -> None:
    """Takes every value apart now: pydicom does so when it is asked for, which may be anywhere."""
    try:
        for _ in dataset.iterall():
            pass
    except Exception as error:  # pydicom raises a different type for each damage
        raise _damaged("The segmentation", error) from error


def _damaged(name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    return InputError(f"{name} is damaged and cannot be read ({reason}): store it again.")


def _read(dataset: Dataset, series: Series, name: str) -> SegmentationLabel:
    """Segments onto one grid; voxels that belong to two of them are refused."""
    _check_reference(dataset, series, name)
    names = _segment_names(dataset, name)
    classes = np.zeros(series.shape, np.uint8)
    for value, voxels in _segments(dataset, series, name):
        index = tuple(voxels.T)
        before = classes[index]
        clash = (before != 0) & (before != value)
        if clash.any():
            at = tuple(int(part) for part in voxels[clash][0])
            msg = (
                f"{name} gives {int(clash.sum())} voxels of one slice to both "
                f"'{names[int(before[clash][0]) - 1]}' and '{names[value - 1]}' (first at {at}): "
                "erase one of them and store it again."
            )
            raise InputError(msg)
        classes[index] = value
    return SegmentationLabel(classes, tuple(names), _planes(dataset))


def _check_reference(dataset: Dataset, series: Series, name: str) -> None:
    """It must have been drawn on these images, in their frame of reference."""
    referenced = referenced_series(dataset)
    if referenced is not None and referenced != series.uid:
        msg = f"{name} belongs to series {_shown(referenced)}, not to {series.uid}."
        raise InputError(msg)
    mine, theirs = (item.get("FrameOfReferenceUID") for item in (series.headers[0], dataset))
    if mine and theirs and mine != theirs:
        msg = (
            f"{name} lies in another frame of reference than series {series.uid}: draw it on "
            "that series itself."
        )
        raise InputError(msg)


def _segment_names(dataset: Dataset, name: str) -> list[str]:
    """Names in the order of their numbers; each must be there, and once."""
    items = sorted(dataset.get("SegmentSequence") or (), key=lambda item: int(item.SegmentNumber))
    # A LABELMAP may describe its background as segment 0.
    items = [item for item in items if int(item.SegmentNumber) > 0]
    names = [str(item.get("SegmentLabel") or "").strip() for item in items]
    if not names or len(names) > 254:
        msg = f"{name} describes {len(names)} segments: between 1 and 254 can be read."
        raise InputError(msg)
    for label in names:
        if not label:
            msg = f"{name} has a segment without a label: name it and store it again."
            raise InputError(msg)
        if names.count(label) > 1:
            msg = f"{name} has two segments named '{label}': merge or rename one, store it again."
            raise InputError(msg)
    return names


def _segments(
    dataset: Dataset, series: Series, name: str
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """One (value, ``(n, 3)`` voxels) per frame and segment; value is the segment's rank, from 1."""
    numbers = sorted(int(item.SegmentNumber) for item in dataset.SegmentSequence)
    rank = {number: value for value, number in enumerate([n for n in numbers if n > 0], start=1)}
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for frame, pixels in enumerate(_frames(dataset, name)):
        group = dataset.PerFrameFunctionalGroupsSequence[frame]
        targets = _target_voxels(group, shared, pixels.shape, series, name)
        for number, inside in _masks(pixels, dataset, group, shared, name):
            if number not in rank:
                msg = f"{name} uses segment {number}, which it does not describe."
                raise InputError(msg)
            voxels = targets[inside]
            if ((voxels < 0) | (voxels >= series.shape)).any():
                msg = f"{name} reaches outside the images of series {series.uid}."
                raise InputError(msg)
            yield rank[number], voxels


def _masks(
    pixels: NDArray[np.uint8], dataset: Dataset, group: Dataset, shared: Dataset, name: str
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The segments of one frame: (segment number, ``(rows, columns)`` mask)."""
    if dataset.SegmentationType == "LABELMAP":
        for number in np.unique(pixels[pixels > 0]):
            yield int(number), pixels == number
        return
    items = group.get("SegmentIdentificationSequence") or shared.get(
        "SegmentIdentificationSequence"
    )
    if not items:
        msg = f"{name} has a frame that belongs to no segment: it is damaged."
        raise InputError(msg)
    fractional = dataset.SegmentationType == "FRACTIONAL"
    highest = int(dataset.MaximumFractionalValue) if fractional else 1
    yield int(items[0].ReferencedSegmentNumber), 2 * pixels.astype(np.int32) > highest


def _frames(dataset: Dataset, name: str) -> NDArray[np.uint8]:
    """``(frames, rows, columns)``, as many as the file says where they lie."""
    count = int(dataset.get("NumberOfFrames") or 1)
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # pydicom raises a different type for each damage
        raise _damaged(f"The pixel data of {name}", error) from error
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if len(groups) != count:
        msg = f"{name} has {count} frames but places for {len(groups)}: it is damaged."
        raise InputError(msg)
    return pixels.reshape(count, int(dataset.Rows), int(dataset.Columns))


def _target_voxels(
    group: Dataset, shared: Dataset, size: tuple[int, ...], series: Series, name: str
) -> NDArray[np.int64]:
    """``(rows, columns, 3)`` voxel of the image for every pixel of a frame."""
    try:
        position, orientation, measures = (
            (group.get(keyword) or shared.get(keyword))[0]
            for keyword in (
                "PlanePositionSequence",
                "PlaneOrientationSequence",
                "PixelMeasuresSequence",
            )
        )
    except TypeError as error:
        msg = f"{name} does not say where its frames lie in space: it cannot be read."
        raise InputError(msg) from error
    cosines = np.array(orientation.ImageOrientationPatient, np.float64)
    between_rows, between_columns = (float(value) for value in measures.PixelSpacing)
    to_voxel = np.linalg.inv(series.affine_lps)
    across = to_voxel[:3, :3] @ cosines[:3] * between_columns
    down = to_voxel[:3, :3] @ cosines[3:] * between_rows
    start = to_voxel[:3, :3] @ np.array(position.ImagePositionPatient, np.float64) + to_voxel[:3, 3]
    rows, columns = np.meshgrid(*(np.arange(length) for length in size), indexing="ij")
    exact = start + rows[..., None] * down + columns[..., None] * across
    nearest = np.rint(exact).astype(np.int64)
    if np.abs(exact - nearest).max() > GRID_TOLERANCE:
        msg = (
            f"{name} lies on another grid than series {series.uid}: store it with the images' "
            "own geometry (in Slicer: export with the image as reference)."
        )
        raise InputError(msg)
    return nearest


def _planes(dataset: Dataset) -> tuple[Plane, ...] | None:
    """The annotated planes, which only our own files name."""
    try:
        block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)
        entries = json.loads(block[0x01].value)
        return tuple(Plane(int(entry["axis"]), int(entry["index"])) for entry in entries)
    except (KeyError, ValueError, TypeError):
        return None
