"""Class maps and scalar maps to disk, on the grid of the image they were made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import Affine, ClassMap, ScalarMap
from spss.volumes.atomic import replace_atomically
from spss.volumes.files import NIFTI_ENDINGS, image_ending
from spss.volumes.grid import OnGrid, spacing_mm

_WRITTEN_ENDINGS = (*NIFTI_ENDINGS, ".seg.nrrd", ".nrrd", ".mha")
_SCANNER = 1  # NIfTI's code for "scanner-based anatomical coordinates"


def write_label(
    path: str | Path, classes: ClassMap, *, like: OnGrid, compress: bool = True
) -> None:
    """Writes ``(I, J, K)`` class indices as uint8 on the grid of ``like``, atomically.

    Args:
        path: the ending chooses NIfTI, NRRD or MetaImage.
        classes: class indices on ``like``'s grid.
        like: image, or grid, whose affine is written.
        compress: NRRD and MetaImage; NIfTI says it with its ending.

    Raises:
        InputError: the shapes differ or the ending is none that can be written.
    """
    _write(Path(path), np.asarray(classes).astype(np.uint8, copy=False), like, compress=compress)


def write_map(path: str | Path, values: ScalarMap, *, like: OnGrid) -> None:
    """Writes one float32 per voxel (reliability, uncertainty, image); as ``write_label``."""
    _write(Path(path), np.asarray(values).astype(np.float32, copy=False), like)


def _write(path: Path, array: NDArray[Any], like: OnGrid, *, compress: bool = True) -> None:
    """On the image's grid, in the format of the ending, complete or not at all."""
    if array.shape != tuple(like.shape):
        msg = (
            f"Cannot write {path.name}: the array has shape {array.shape} but {like.name} has "
            f"{tuple(like.shape)}."
        )
        raise InputError(msg)
    ending = image_ending(path).lower()
    if ending not in _WRITTEN_ENDINGS:
        msg = f"Cannot write {path.name}: use one of the endings {', '.join(_WRITTEN_ENDINGS)}."
        raise InputError(msg)
    try:
        with replace_atomically(path) as unfinished:
            affine = np.asarray(like.affine, dtype=np.float64)
            if ending in NIFTI_ENDINGS:
                _save_nifti(unfinished, array, affine)
            else:
                _save_with_itk(unfinished, array, affine, compress=compress)
    except (OSError, RuntimeError) as error:
        msg = f"Cannot write {path}: {' '.join(str(error).split())[:200]}."
        raise InputError(msg) from error


def _save_nifti(path: Path, array: NDArray[Any], affine: Affine) -> None:
    """In mm, with the affine in both of NIfTI's places."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm", "sec")
    # Readers differ in whether they trust the sform or the qform: write both.
    image.set_sform(affine, code=_SCANNER)
    image.set_qform(affine, code=_SCANNER)
    nib.save(image, path)


def _save_with_itk(path: Path, array: NDArray[Any], affine: Affine, *, compress: bool) -> None:
    """The affine as ITK's origin, spacing and directions, in its LPS coordinates."""
    import SimpleITK as sitk

    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = spacing_mm(affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(spacing)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / np.asarray(spacing)).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=compress)
