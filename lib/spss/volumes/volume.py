"""A scalar image on its own grid, read from NIfTI, NRRD, MetaImage or a DICOM folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spss.errors import InputError
from spss.types import Affine, ImageArray, Shape, SpacingMm
from spss.volumes.files import image_name
from spss.volumes.formats import Stored, open_stored
from spss.volumes.grid import Grid, check_affine, spacing_mm


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image and where it lies in the patient.

    Attributes:
        data: ``(I, J, K)`` float32 on the stored voxel grid.
        affine: ``(4, 4)`` float64, voxel index to RAS millimetres.
        name: what messages call it, usually the file's name without its ending.
    """

    data: ImageArray
    affine: Affine
    name: str = "volume"

    @property
    def shape(self) -> Shape:
        """``(I, J, K)``."""
        return self.data.shape  # type: ignore[return-value]

    @property
    def spacing_mm(self) -> SpacingMm:
        """Distance between neighbouring voxels along each stored axis."""
        return spacing_mm(self.affine)

    @property
    def grid(self) -> Grid:
        """Shape and affine without the voxels."""
        return Grid(self.shape, self.affine, self.name)


def read_image(path: str | Path) -> Volume:
    """Reads a scalar 3-D image.

    A fourth axis of length one is dropped and a 2-D image becomes one slice. A constant image is
    read as it is; ``is_constant`` tells.

    Raises:
        InputError: the file is absent, empty, corrupt or truncated; the image is 4-D, colour or
            complex; a voxel is NaN or infinite; the affine collapses an axis.
    """
    stored = open_stored(path)
    grid = _grid_of(stored, path)
    with np.errstate(over="ignore", invalid="ignore"):
        data = np.ascontiguousarray(stored.load(), dtype=np.float32)
    undefined = int(data.size - np.count_nonzero(np.isfinite(data)))
    if undefined:
        msg = (
            f"Image {grid.name} has {undefined} of {data.size} voxels that are NaN or infinite: "
            "replace them, for example by the background's intensity."
        )
        raise InputError(msg)
    return Volume(data, grid.affine, grid.name)


def read_grid(path: str | Path) -> Grid:
    """Shape and affine from a file's header, without reading the voxels where the format allows.

    Raises:
        InputError: as ``read_image``, as far as the header tells.
    """
    return _grid_of(open_stored(path), path)


def _grid_of(stored: Stored, path: str | Path) -> Grid:
    name = image_name(path)
    check_affine(stored.affine, name)
    return Grid(stored.shape, stored.affine, name)
