"""A volume's maps from its stored grid to the planned one: canonical axes, planned spacing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.training.fingerprint import canonical_grid
from spss.training.plan import Plan
from spss.training.resample import (
    resample_blocks,
    resample_classes,
    resample_linear,
    resampled_shape,
    smooth_for,
)
from spss.types import ClassMap, Shape
from spss.volumes import Volume, to_canonical
from spss.volumes.orientation import canonical_axes


@dataclass(frozen=True)
class PlannedGrid:
    """Maps of one volume from its stored grid to the planned one."""

    volume: Volume
    plan: Plan

    def image(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed where the planned grid is coarser, so that detail does not turn into noise."""
        data, shape = self._canonical(data)
        return resample_linear(smooth_for(data, shape), shape)

    def soft(
        self, values: NDArray[np.float32], factors: tuple[int, int, int]
    ) -> NDArray[np.float16]:
        """A map, each voxel of which stands for ``factors`` stored ones: it keeps its range."""
        shape = self._canonical_shape()
        becomes = canonical_axes(self.volume.affine)
        for axis, (factor, stored) in enumerate(zip(factors, self.volume.shape, strict=True)):
            if factor > 1:
                size = shape[becomes[axis]]
                values = resample_blocks(values, axis, factor=factor, source_size=stored, size=size)
        turned, _ = to_canonical(values, self.volume.affine)
        return resample_linear(turned, shape).astype(np.float16)

    def classes(self, classes: ClassMap) -> ClassMap:
        """Class numbers, which cannot be interpolated."""
        classes, shape = self._canonical(classes)
        return resample_classes(classes, shape)

    def _canonical(self, array: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
        turned, _ = to_canonical(array, self.volume.affine)
        return turned, self._canonical_shape()

    def _canonical_shape(self) -> Shape:
        shape, spacing_mm = canonical_grid(self.volume.shape, self.volume.affine)
        return resampled_shape(shape, spacing_mm, self.plan.spacing_mm)


def canonical_image(volume: Volume, plan: Plan) -> NDArray[np.float32]:
    """``(X, Y, Z)`` float32 in canonical orientation at the planned spacing, normalised."""
    grid = PlannedGrid(volume, plan)
    return np.ascontiguousarray(plan.normalisation.apply(grid.image(volume.data)))
