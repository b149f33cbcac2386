"""A folder that holds one DICOM image series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.volumes.formats import Stored, itk_affine, itk_array, scalar_3d_shape, unreadable

_POSITION = "0020|0032"
_GAP_TOLERANCE = 0.1
"""Share of the median slice distance by which a gap may differ before a slice is missing."""


def open_dicom_folder(folder: Path) -> Stored:
    """Reads the one series in ``folder``, slices sorted by position.

    Raises:
        InputError: the folder has no series or several, a slice is missing, or a file is corrupt.
    """
    import SimpleITK as sitk

    names = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(names) != 1:
        found = "no DICOM series" if not names else f"{len(names)} DICOM series"
        msg = f"Folder {folder.name} holds {found}: give a folder with exactly one image series."
        raise InputError(msg)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), names[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise unreadable(folder, Exception("a slice of the series is damaged")) from error
    if image.GetNumberOfComponentsPerPixel() > 1:
        msg = f"Series {folder.name} has colour voxels: one number per voxel is needed."
        raise InputError(msg)
    shape = scalar_3d_shape(tuple(image.GetSize()), folder.name)
    _check_gaps(reader, len(files), folder.name)

    def load() -> NDArray[Any]:
        """Voxels in the order of the stored grid; called only where somebody reads them."""
        return itk_array(image, shape)

    return Stored(shape, itk_affine(image), load)


def _check_gaps(reader: Any, count: int, name: str) -> None:
    """Raises InputError if the distances between neighbouring slices differ."""
    if count < 3 or not all(reader.HasMetaDataKey(index, _POSITION) for index in range(count)):
        return
    positions = np.array(
        [
            [float(value) for value in reader.GetMetaData(index, _POSITION).split("\\")]
            for index in range(count)
        ]
    )
    gaps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    usual = float(np.median(gaps))
    worst = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[worst] - usual) > _GAP_TOLERANCE * usual:
        msg = (
            f"Series {name} has slices {usual:.3f} mm apart but {gaps[worst]:.3f} mm between slice "
            f"{worst} and {worst + 1}: a slice is missing or twice there, so export it again."
        )
        raise InputError(msg)
