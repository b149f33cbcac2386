"""One orientation for all work: the axes' order and signs closest to RAS+, without resampling."""

from __future__ import annotations

from typing import Any, TypeVar

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from spss.types import Affine

Array = TypeVar("Array", bound=NDArray[Any])

_RAS = np.array([[0, 1], [1, 1], [2, 1]])


def to_canonical(array: Array, affine: Affine) -> tuple[Array, Affine]:
    """Permutes and flips the last three axes to the order closest to right, anterior, superior.

    Args:
        array: ``(..., I, J, K)``; leading axes (classes, channels) stay.
        affine: ``(4, 4)`` voxel to RAS mm of the stored array; may be oblique.

    Returns:
        The reoriented array (same dtype, contiguous) and its affine. No value is interpolated.
    """
    orientation = io_orientation(affine)
    shape = array.shape[-3:]
    return _reorient(array, orientation), affine @ inv_ornt_aff(orientation, shape)


def from_canonical(array: Array, affine_source: Affine) -> Array:
    """Exact inverse of ``to_canonical``.

    Args:
        array: ``(..., I', J', K')`` in canonical orientation.
        affine_source: affine of the *stored* image that the result shall lie on.
    """
    return _reorient(array, ornt_transform(_RAS, io_orientation(affine_source)))


def canonical_axes(affine: Affine) -> tuple[int, int, int]:
    """For each stored axis the canonical axis that it becomes."""
    first, second, third = (int(axis) for axis in io_orientation(affine)[:, 0])
    return first, second, third


def axis_codes(affine: Affine) -> tuple[str, str, str]:
    """Letters of the directions in which the stored axes grow, such as ``("L", "P", "S")``."""
    return nib.aff2axcodes(affine)


def _reorient(array: Array, orientation: NDArray[Any]) -> Array:
    leading = array.ndim - 3
    spatial_first = np.moveaxis(array, tuple(range(leading)), tuple(range(3, array.ndim)))
    turned = apply_orientation(spatial_first, orientation)
    return np.ascontiguousarray(np.moveaxis(turned, (0, 1, 2), (-3, -2, -1)))  # type: ignore[return-value]
