"""A stack of DICOM images as one volume: order, grid and headers, with the geometry checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spss.errors import InputError
from spss.types import Affine, Shape

ANGLE_TOLERANCE = 1e-3
"""Largest difference in a direction cosine that still counts as the same direction."""

GAP_TOLERANCE = 0.05
"""Largest deviation of one slice distance from the median, as a fraction of it. Scanners round
positions to 1e-2 mm and worse; a missing slice doubles the distance (deviation 1.0)."""

SHEAR_TOLERANCE_MM = 0.5
"""Largest sideways drift of the whole stack from its normal (rounded positions), in millimetres."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Series:
    """The headers of one series, in the order of the volume's third axis.

    Attributes:
        headers: one dataset per slice, ascending along the normal (row direction x column
            direction), as SimpleITK and MONAI Label order them.
        files: the files of ``headers``, in the same order.
        affine: ``(4, 4)`` float64, voxel (column, row, slice) to RAS millimetres.
    """

    headers: tuple[Dataset, ...]
    files: tuple[Path, ...]
    affine: Affine

    @property
    def shape(self) -> Shape:
        """``(columns, rows, slices)``: the axes I, J, K of the volume."""
        first = self.headers[0]
        return (int(first.Columns), int(first.Rows), len(self.headers))

    @property
    def affine_lps(self) -> Affine:
        """``(4, 4)`` float64, voxel to LPS millimetres, DICOM's own convention."""
        return _LPS_TO_RAS @ self.affine

    @property
    def uid(self) -> str:
        """The SeriesInstanceUID, which is the image id of the datastore."""
        return str(self.headers[0].SeriesInstanceUID)


def read_series(folder: Path) -> Series:
    """Reads the headers of all DICOM files in a folder that holds one series.

    Raises:
        InputError: if there is no image, or the images are not one regular stack: colour,
            multi-frame, several directions or sizes, two images at one place, a missing slice,
            a gantry tilt.
    """
    headers, files = [], []
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        try:
            headers.append(pydicom.dcmread(file, stop_before_pixels=True))
        except InvalidDicomError as error:
            msg = f"{file.name} is not a DICOM file: delete it from {folder} and ask again."
            raise InputError(msg) from error
        files.append(file)
    return stack(headers, files)


def stack(headers: Sequence[Dataset], files: Sequence[Path]) -> Series:
    """Orders images along their normal and derives the volume's affine.

    The direction of a row of pixels is the first triple of ImageOrientationPatient, that of a
    column the second (DICOM PS3.3, C.7.6.2.1.1); PixelSpacing is (between rows, between columns).

    Raises:
        InputError: as ``read_series`` says.
    """
    if not headers:
        msg = "The series holds no image."
        raise InputError(msg)
    name = f"Series {headers[0].get('SeriesInstanceUID', 'without a UID')}"
    _check_images(headers, name)
    row, column = _directions(headers, name)
    normal = np.cross(row, column)
    origins = np.array([header.ImagePositionPatient for header in headers], np.float64)
    order = np.argsort(origins @ normal, kind="stable")
    origins = origins[order]
    step = _slice_step(headers, origins, normal, name)
    between_rows, between_columns = (float(value) for value in headers[0].PixelSpacing)
    lps = np.eye(4)
    lps[:3, 0] = row * between_columns
    lps[:3, 1] = column * between_rows
    lps[:3, 2] = step
    lps[:3, 3] = origins[0]
    return Series(
        tuple(headers[index] for index in order),
        tuple(files[index] for index in order),
        _LPS_TO_RAS @ lps,
    )


def _check_images(headers: Sequence[Dataset], name: str) -> None:
    """Single grey slices with a place in the patient are what can be segmented."""
    for header in headers:
        if int(header.get("NumberOfFrames") or 1) > 1:
            msg = (
                f"{name} holds a multi-frame image ({header.NumberOfFrames} frames in one file): "
                "store it as one file per slice (Slicer and dcm4che's emf2sf do) to annotate it."
            )
            raise InputError(msg)
        if int(header.get("SamplesPerPixel") or 1) != 1:
            msg = (
                f"{name} is a colour image ({header.get('PhotometricInterpretation', 'RGB')}, "
                f"{header.SamplesPerPixel} samples per pixel): only grey images can be segmented."
            )
            raise InputError(msg)
        needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows")
        missing = [keyword for keyword in needed if header.get(keyword) is None]
        if missing:
            msg = f"{name} has no {missing[0]} in every image, so it is no volume in space."
            raise InputError(msg)
    sizes = {(int(header.Rows), int(header.Columns)) for header in headers}
    if len(sizes) > 1:
        msg = f"{name} mixes images of different sizes (rows, columns): {sorted(sizes)}."
        raise InputError(msg)
    spacings = np.array([header.PixelSpacing for header in headers], np.float64)
    if np.ptp(spacings, axis=0).max() > 1e-3:
        msg = f"{name} mixes images of different pixel spacing."
        raise InputError(msg)
    if len({str(header.SeriesInstanceUID) for header in headers}) > 1:
        msg = f"{name} shares its folder with images of another series."
        raise InputError(msg)


def _directions(
    headers: Sequence[Dataset], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column cosines, which all slices must share."""
    cosines = np.array([header.ImageOrientationPatient for header in headers], np.float64)
    if np.abs(cosines - cosines[0]).max() > ANGLE_TOLERANCE:
        msg = f"{name} mixes images of different directions (a localiser?): it is not one volume."
        raise InputError(msg)
    row, column = cosines[0, :3], cosines[0, 3:]
    if (
        abs(row @ column) > ANGLE_TOLERANCE
        or min(np.linalg.norm(row), np.linalg.norm(column)) < 0.9
    ):
        msg = f"{name} has row and column directions that are not perpendicular unit vectors."
        raise InputError(msg)
    return row / np.linalg.norm(row), column / np.linalg.norm(column)


def _slice_step(
    headers: Sequence[Dataset],
    origins: NDArray[np.float64],
    normal: NDArray[np.float64],
    name: str,
) -> NDArray[np.float64]:
    """The vector from one slice to the next, in LPS millimetres."""
    if len(origins) == 1:
        thickness = headers[0].get("SpacingBetweenSlices") or headers[0].get("SliceThickness") or 1
        return normal * abs(float(thickness))
    distances = np.diff(origins @ normal)
    median = float(np.median(distances))
    if distances.min() < 1e-3:
        at = np.round(origins[int(np.argmin(distances))], 2).tolist()
        msg = (
            f"{name} has two images at the same place {at} mm (a time series, or an image sent "
            "twice): send one volume per series."
        )
        raise InputError(msg)
    if np.abs(distances - median).max() > GAP_TOLERANCE * median:
        worst = int(np.argmax(np.abs(distances - median)))
        msg = (
            f"{name} misses a slice or has uneven slices: {distances[worst]:.2f} mm between "
            f"slices {worst} and {worst + 1}, {median:.2f} mm elsewhere; send the series complete."
        )
        raise InputError(msg)
    step = (origins[-1] - origins[0]) / (len(origins) - 1)
    drift = step - (step @ normal) * normal
    if np.linalg.norm(drift) * (len(origins) - 1) > SHEAR_TOLERANCE_MM:
        msg = (
            f"{name} is sheared (gantry tilt): its slices drift sideways by "
            f"{np.linalg.norm(drift):.2f} mm each; resample it to a right-angled stack first."
        )
        raise InputError(msg)
    return normal * float(step @ normal)
