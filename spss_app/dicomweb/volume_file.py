"""A DICOM series as one NIfTI file, on exactly the grid that its headers state."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from spss.errors import InputError
from spss_app.dicomweb.series import Series


def write_volume(series: Series, path: Path) -> None:
    """Writes the series' pixels (rescaled to modality units) as NIfTI, atomically.

    SimpleITK (GDCM) decodes every transfer syntax in use; order and geometry are those of
    ``series``, since ITK's own guess of the slice distance is not checked for missing slices.

    Raises:
        InputError: if the pixels cannot be decoded.
    """
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in series.files])
    try:
        image = reader.Execute()
    except RuntimeError as error:
        msg = f"The pixels of series {series.uid} cannot be decoded: {_last_line(error)}"
        raise InputError(msg) from error
    lps = series.affine_lps
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.nii.gz")
    try:
        sitk.WriteImage(image, str(temporary))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
