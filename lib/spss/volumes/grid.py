"""Where the voxels of a volume lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spss.errors import InputError
from spss.types import Affine, Shape, SpacingMm

AFFINE_TOLERANCE_MM = 1e-3
"""Largest difference between two affines' entries that rounding in file formats explains."""


class OnGrid(Protocol):
    """Anything with a shape and an affine: a ``Grid`` or a ``Volume``."""

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        ...

    @property
    def affine(self) -> Affine:
        """Voxel to patient coordinates, in mm."""
        ...

    @property
    def name(self) -> str:
        """What error messages call it."""
        ...


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape and position of a volume, without its voxels.

    Attributes:
        shape: voxels along each stored axis.
        affine: ``(4, 4)`` float64, voxel index to RAS millimetres.
        name: what messages call it, usually the file's name without its ending.
    """

    shape: Shape
    affine: Affine
    name: str = "volume"

    @property
    def spacing_mm(self) -> SpacingMm:
        """Distance between neighbouring voxels along each stored axis."""
        return spacing_mm(self.affine)


def spacing_mm(affine: Affine) -> SpacingMm:
    """Length in millimetres of each column of the affine's 3×3 part."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return (float(lengths[0]), float(lengths[1]), float(lengths[2]))


def check_same_grid(label: OnGrid, image: OnGrid) -> None:
    """Raises InputError if a label does not lie on its image's grid.

    Shapes must be equal and affines agree within ``AFFINE_TOLERANCE_MM``; the message names the
    entries that differ.
    """
    if tuple(label.shape) != tuple(image.shape):
        msg = (
            f"Label {label.name} has shape {tuple(label.shape)} but image {image.name} has "
            f"{tuple(image.shape)}: resample the label onto the image's grid."
        )
        raise InputError(msg)
    difference = np.abs(np.asarray(label.affine) - np.asarray(image.affine))
    if not (difference <= AFFINE_TOLERANCE_MM).all():
        entries = ", ".join(
            f"row {row} column {column}: {label.affine[row, column]:.4f} against "
            f"{image.affine[row, column]:.4f}"
            for row, column in np.argwhere(~(difference <= AFFINE_TOLERANCE_MM))
        )
        msg = (
            f"Label {label.name} lies elsewhere in space than image {image.name} (affine, RAS mm; "
            f"{entries}): resample the label onto the image's grid or correct its header."
        )
        raise InputError(msg)


def check_affine(affine: Affine, name: str) -> None:
    """Raises InputError if the affine has NaN or collapses an axis."""
    if not np.isfinite(affine).all():
        msg = f"Image {name} has NaN or infinity in its affine: correct the file's header."
        raise InputError(msg)
    if min(spacing_mm(affine)) <= 0 or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        msg = (
            f"Image {name} has an affine that flattens space (spacing {spacing_mm(affine)} mm): "
            "correct the voxel spacing in the file's header."
        )
        raise InputError(msg)
