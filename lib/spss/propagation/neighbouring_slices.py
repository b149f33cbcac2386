"""Draws pairs of neighbouring slices from all of a user's volumes, for label-free training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spss.propagation.stack import robust_bounds, scale_intensities
from spss.types import ImageArray
from spss.volumes import read_image

STAY = 4
"""Steps taken on a volume before the next is drawn: reading a file costs more than a step."""

KEPT_VOLUMES = 4
"""Volumes of a folder that stay in memory."""


class NeighbouringSlices:
    """Draws neighbouring slices of one volume and axis, either way round.

    Args:
        images: ``(I, J, K)`` volumes.
        soft_labels: ``(C, I, J, K)`` per image, or None.
        axes: slice directions.
        batch: pairs at once.
        rng: draws volumes, axes and slices.
    """

    def __init__(
        self,
        images: Sequence[ImageArray],
        soft_labels: Sequence[NDArray[np.float32]] | None,
        axes: Sequence[int],
        batch: int,
        rng: np.random.Generator,
    ) -> None:
        self.images, self.soft_labels = images, soft_labels
        self.axes, self.batch, self.rng = axes, batch, rng
        self.which = 0
        self.bounds: dict[int, tuple[float, float]] = {}

    def __call__(self, step: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
        """Targets and sources ``(N, 1, H, W)`` scaled to 0…1, and their labels if there are any."""
        if step % STAY == 0:
            self.which = int(self.rng.integers(len(self.images)))
        image = self.images[self.which]
        if self.which not in self.bounds:
            self.bounds[self.which] = robust_bounds(image)
        usable = [axis for axis in self.axes if image.shape[axis] > 1] or [self.axes[0]]
        axis = int(self.rng.choice(usable))
        slices = np.moveaxis(image, axis, 0)
        first = self.rng.integers(0, max(1, len(slices) - 1), self.batch)
        second = np.minimum(first + 1, len(slices) - 1)
        swap = self.rng.random(self.batch) < 0.5
        to, at = np.where(swap, first, second), np.where(swap, second, first)
        target, source = (
            torch.from_numpy(scale_intensities(slices[each], self.bounds[self.which]))[:, None]
            for each in (to, at)
        )
        return target, source, self._labels(axis, to, at)

    def _labels(
        self, axis: int, to: NDArray[np.int64], at: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor] | None:
        """``(N, C, H, W)`` of targets and sources."""
        if self.soft_labels is None:
            return None
        maps = np.moveaxis(self.soft_labels[self.which], axis + 1, 0)
        both = (torch.from_numpy(np.ascontiguousarray(maps[each])) for each in (to, at))
        return next(both), next(both)


class VolumeFiles(Sequence[ImageArray]):
    """Volumes that are read when they are asked for; the last few stay in memory.

    Args:
        paths: image files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._read = lru_cache(maxsize=KEPT_VOLUMES)(lambda path: read_image(path).data)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> ImageArray: ...
    @overload
    def __getitem__(self, index: slice) -> VolumeFiles: ...
    def __getitem__(self, index: int | slice) -> ImageArray | VolumeFiles:
        """A volume, or some of them."""
        if isinstance(index, slice):
            return VolumeFiles(self.paths[index])
        return self._read(self.paths[index])
