"""The label beside a ledger entry: a compressed NIfTI on the image's grid."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from spss.annotation.plane import Plane
from spss.errors import InputError
from spss.types import Affine, ClassMap, Shape

_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)
_COMPRESSION_LEVEL = 1  # almost every voxel is UNDECIDED: higher levels cost time and gain nothing


def label_to_bytes(label: ClassMap, affine: Affine) -> bytes:
    """The bytes of a ``.nii.gz`` file; the same label gives the same bytes."""
    image = nib.Nifti1Image(label.astype(np.uint8), affine)
    return gzip.compress(image.to_bytes(), _COMPRESSION_LEVEL, mtime=0)


def read_label_file(path: Path, *, sha256: str, shape: Shape) -> ClassMap:
    """Reads a label back, if it is the very file that was committed.

    Raises:
        InputError: the file is missing, torn, or another one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"its label file {path.name} cannot be read ({error.strerror})"
        raise InputError(msg) from error
    return label_from_bytes(data, path.name, sha256=sha256, shape=shape)


def label_from_bytes(data: bytes, name: str, *, sha256: str, shape: Shape) -> ClassMap:
    """The label in a file's bytes, if they are the ones that were committed.

    Raises:
        InputError: they are others.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        msg = f"its label file {name} is damaged (wrong checksum)"
        raise InputError(msg)
    try:
        image = nib.Nifti1Image.from_bytes(gzip.decompress(data))
        label = np.asarray(image.dataobj, dtype=np.uint8)
    except _READ_ERRORS as error:
        msg = f"its label file {name} is no NIfTI label ({type(error).__name__})"
        raise InputError(msg) from error
    if label.shape != shape:
        msg = f"its label file {name} has shape {label.shape} instead of {shape}"
        raise InputError(msg)
    return label


def plane_digests(label: ClassMap, planes: Iterable[Plane]) -> tuple[str, ...]:
    """SHA-256 of the class values of each plane, for "is this the same drawing again?"."""
    return tuple(
        hashlib.sha256(np.ascontiguousarray(label[plane.slices]).tobytes()).hexdigest()
        for plane in planes
    )
