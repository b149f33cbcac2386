"""File formats: an opened file gives a shape, a RAS affine and, when asked, its voxels.

NIfTI through nibabel; NRRD, MetaImage, single DICOM files and DICOM folders through SimpleITK.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import Affine, Shape
from spss.volumes import metaimage
from spss.volumes.data_file import NRRD_ENDINGS, nrrd_fault
from spss.volumes.files import IMAGE_ENDINGS, NIFTI_ENDINGS, image_ending

_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    MemoryError,
    OverflowError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


@dataclass(frozen=True)
class Stored:
    """An opened image file.

    Attributes:
        shape: ``(I, J, K)``.
        affine: ``(4, 4)`` float64, voxel index to RAS millimetres.
        load: reads the voxels, ``(I, J, K)`` in the file's dtype. Raises InputError.
    """

    shape: Shape
    affine: Affine
    load: Callable[[], NDArray[Any]]


def open_stored(path: str | Path) -> Stored:
    """Opens an image file or a folder with one DICOM series.

    Raises:
        InputError: the path is absent or empty, the format unknown or the header unreadable, or
            the image is not a scalar 3-D one.
    """
    path = Path(path)
    if path.is_dir():
        from spss.volumes.dicom import open_dicom_folder

        return open_dicom_folder(path)
    if not path.is_file():
        msg = f"There is no file {path}: check the name and the folder."
        raise InputError(msg)
    if path.stat().st_size == 0:
        msg = f"File {path.name} is empty (0 bytes): copy or export it again."
        raise InputError(msg)
    ending = image_ending(path).lower()
    if ending in NIFTI_ENDINGS:
        return _open_nifti(path)
    if ending in IMAGE_ENDINGS:
        return _open_with_itk(path)
    msg = f"File {path.name} is no image format known here: use one of {', '.join(IMAGE_ENDINGS)}."
    raise InputError(msg)


def unreadable(path: Path, error: BaseException) -> InputError:
    """The one sentence for a file that its format's library could not read."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(
        f"File {path.name} cannot be read, it is corrupt or truncated ({reason}): "
        "copy or export it again."
    )


def scalar_3d_shape(shape: tuple[int, ...], name: str) -> Shape:
    """``(I, J, K)`` after dropping trailing axes of length one and adding missing ones.

    Raises:
        InputError: the image has a fourth axis longer than one, or no voxels.
    """
    sizes = list(shape)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > 3:
        msg = (
            f"Image {name} is {len(sizes)}-D with shape {tuple(shape)}: one 3-D volume is needed, "
            "so split it into its channels or time points."
        )
        raise InputError(msg)
    sizes += [1] * (3 - len(sizes))
    if min(sizes) < 1:
        msg = f"Image {name} has no voxels (shape {tuple(shape)}): export it again."
        raise InputError(msg)
    return (sizes[0], sizes[1], sizes[2])


def _check_scalar(dtype: np.dtype, name: str) -> None:
    """Colour and complex voxels would lose their meaning as one number."""
    if dtype.fields is not None or dtype.kind not in "biuf":
        msg = (
            f"Image {name} has colour or complex voxels ({dtype}): one number per voxel is needed, "
            "so convert it to a scalar image."
        )
        raise InputError(msg)


def _open_nifti(path: Path) -> Stored:
    """Reads the header only; voxels are decompressed when they are asked for."""
    try:
        image = nib.load(path)
        affine = np.asarray(image.affine, dtype=np.float64)  # type: ignore[attr-defined]
        dtype = image.get_data_dtype()  # type: ignore[attr-defined]
        full_shape = tuple(int(size) for size in image.shape)  # type: ignore[attr-defined]
    except _READ_ERRORS as error:
        raise unreadable(path, error) from error
    _check_scalar(dtype, path.name)
    shape = scalar_3d_shape(full_shape, path.name)

    def load() -> NDArray[Any]:
        """Decompresses the voxels; a header that reads can stand before data that do not."""
        try:
            return np.asarray(image.dataobj).reshape(shape)  # type: ignore[attr-defined]
        except _READ_ERRORS as error:
            raise unreadable(path, error) from error

    return Stored(shape, affine, load)


def itk_fault(path: Path) -> str:
    """Why a file must not be given to ITK, which trusts headers; empty if it may."""
    name = path.name.lower()
    if name.endswith(metaimage.ENDINGS):
        return metaimage.header_fault(path)
    return nrrd_fault(path) if name.endswith(NRRD_ENDINGS) else ""


def _open_with_itk(path: Path) -> Stored:
    """NRRD, MetaImage and the like; reads the header only."""
    import SimpleITK as sitk

    is_meta = path.name.lower().endswith(metaimage.ENDINGS)
    if fault := itk_fault(path):
        raise unreadable(path, Exception(fault))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise unreadable(path, _itk_reason(error)) from error
    if reader.GetNumberOfComponents() > 1:
        msg = (
            f"Image {path.name} has {reader.GetNumberOfComponents()} values per voxel: one number "
            "per voxel is needed, so split its channels or segmentation layers."
        )
        raise InputError(msg)
    shape = scalar_3d_shape(tuple(reader.GetSize()), path.name)
    affine = itk_affine(reader)

    def load() -> NDArray[Any]:
        """Decodes the voxels; a header that reads can stand before data that do not."""
        if is_meta and (damage := metaimage.damage_of(path, shape)):
            raise unreadable(path, Exception(damage))
        try:
            return itk_array(reader.Execute(), shape)
        except _READ_ERRORS as error:
            raise unreadable(path, _itk_reason(error)) from error

    return Stored(shape, affine, load)


def itk_affine(image: Any) -> Affine:
    """RAS affine of a SimpleITK image or reader, whose own convention is LPS.

    Images of fewer than three dimensions get unit directions along the missing axes; a fourth
    dimension is dropped.
    """
    size = image.GetDimension()
    direction = np.asarray(image.GetDirection(), dtype=np.float64).reshape(size, size)
    columns = direction * np.asarray(image.GetSpacing(), dtype=np.float64)
    kept = min(size, 3)
    affine = np.eye(4)
    affine[:kept, :kept] = columns[:kept, :kept]
    affine[:kept, 3] = image.GetOrigin()[:kept]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def itk_array(image: Any, shape: Shape) -> NDArray[Any]:
    """Voxels as ``(I, J, K)``; SimpleITK's own order is reversed."""
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(image).T.reshape(shape)


def _itk_reason(error: BaseException) -> Exception:
    """The last line of an ITK message: the lines before say where in ITK it was raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return Exception(lines[-1] if lines else type(error).__name__)
