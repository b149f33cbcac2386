"""Trains a registration network on neighbouring slices of all of a user's volumes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from numpy.typing import NDArray
from torch import Tensor

from spss.propagation.registration_network import RegistrationNetwork
from spss.propagation.stack import robust_bounds, scale_intensities
from spss.types import ImageArray
from spss.volumes import read_image

STAY = 4
"""Steps taken on a volume before the next is drawn: reading a file costs more than a step."""

KEPT_VOLUMES = 4
"""Volumes of a folder that stay in memory."""


def train_registration(
    images: Sequence[ImageArray],
    *,
    network: RegistrationNetwork | None = None,
    axes: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    seconds: float | None = None,
    soft_labels: Sequence[NDArray[np.float32]] | None = None,
    seed: int = 0,
) -> RegistrationNetwork:
    """Trains on pairs of neighbouring slices, without labels unless some are given.

    Args:
        images: ``(I, J, K)`` volumes; more volumes make a network that needs no retraining. See
            ``VolumeFiles`` for more of them than memory holds.
        network: to go on from; None starts a new one.
        axes: slice directions to learn.
        steps: Adam steps.
        seconds: stop earlier after this time (fine-tuning on a new volume).
        soft_labels: ``(C, I, J, K)`` per image; adds the Dice of warped labels, which is how
            training the segmenter refines the registration (PLN, SPSS).
        seed: draws the pairs.
    """
    torch.manual_seed(seed)
    network = network or RegistrationNetwork()
    draw = _Pairs(images, soft_labels, axes, network.config.batch, np.random.default_rng(seed))
    optimiser = torch.optim.Adam(network.parameters(), lr=network.config.learning_rate)
    loss = _RegistrationLoss(network)
    network.train()
    until = None if seconds is None else time.monotonic() + seconds
    for step in range(steps):
        value = loss(*draw(step))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if until is not None and time.monotonic() > until:
            break
    return network.eval()


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


class _RegistrationLoss:
    """MSE + LNCC + diffusion energy, and the Dice of warped labels where there are labels."""

    def __init__(self, network: RegistrationNetwork) -> None:
        self.network = network
        self.correlation = LocalNormalizedCrossCorrelationLoss(2, kernel_size=7)

    def __call__(
        self, target: Tensor, source: Tensor, labels: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        config = self.network.config
        flow = self.network(target, source)
        warped = self.network.warp(source, flow)
        loss = torch.nn.functional.mse_loss(warped, target) + config.smoothness * diffusion_energy(
            flow
        )
        loss = loss + config.correlation * self.correlation(warped, target)
        if labels is not None:
            moved = self.network.warp(labels[1], flow)
            overlap = 2 * (moved * labels[0]).sum((0, 2, 3))
            total = (moved**2 + labels[0] ** 2).sum((0, 2, 3))
            loss = loss + config.dice * (1 - ((overlap + 1) / (total + 1)).mean())
        return loss


def diffusion_energy(flow: Tensor) -> Tensor:
    """Mean squared difference of neighbouring displacements (MONAI's loss warns on new torch)."""
    return flow.diff(dim=2).square().mean() + flow.diff(dim=3).square().mean()


class _Pairs:
    """Draws neighbouring slices of one volume and axis, either way round."""

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
