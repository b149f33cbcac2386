"""A plane of voxels, named by axis and index of the stored image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spss.errors import InputError
from spss.types import Affine, Shape

_ANATOMICAL_NAMES = {0: "sagittal", 1: "coronal", 2: "axial"}


@dataclass(frozen=True, order=True)
class Plane:
    """All voxels whose index along ``axis`` is ``index``.

    Attributes:
        axis: voxel axis of the stored image, 0, 1 or 2.
        index: voxel index along that axis, from 0.
    """

    axis: int
    index: int

    def check(self, shape: Shape) -> None:
        """Raises InputError if the plane does not lie inside a volume of ``shape``."""
        if self.axis not in (0, 1, 2):
            msg = f"A plane's axis must be 0, 1 or 2, got {self.axis!r}."
            raise InputError(msg)
        if not 0 <= self.index < shape[self.axis]:
            msg = (
                f"Plane {self.index} along axis {self.axis} lies outside the volume of shape "
                f"{tuple(shape)}: use an index from 0 to {shape[self.axis] - 1}."
            )
            raise InputError(msg)

    @property
    def slices(self) -> tuple[int | slice, ...]:
        """Index expression that selects the plane from an ``(I, J, K)`` array, as 2-D."""
        return tuple(self.index if axis == self.axis else slice(None) for axis in range(3))

    def anatomical_name(self, affine: Affine) -> str:
        """``axial``, ``coronal`` or ``sagittal``: the one closest to the plane's normal."""
        return _ANATOMICAL_NAMES[int(np.argmax(np.abs(self.normal_ras(affine))))]

    def normal_ras(self, affine: Affine) -> tuple[float, float, float]:
        """Unit normal in RAS patient coordinates, perpendicular to the plane's two edges."""
        in_plane = [axis for axis in range(3) if axis != self.axis]
        normal = np.cross(affine[:3, in_plane[0]], affine[:3, in_plane[1]])
        if np.dot(normal, affine[:3, self.axis]) < 0:
            normal = -normal
        normal = normal / np.linalg.norm(normal)
        return (float(normal[0]), float(normal[1]), float(normal[2]))

    def centre_ras_mm(self, affine: Affine, shape: Shape) -> tuple[float, float, float]:
        """The plane's central point in RAS millimetres."""
        centre = [(size - 1) / 2 for size in shape]
        centre[self.axis] = self.index
        point = affine[:3, :3] @ np.asarray(centre) + affine[:3, 3]
        return (float(point[0]), float(point[1]), float(point[2]))
