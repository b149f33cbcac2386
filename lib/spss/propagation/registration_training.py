"""Trains a registration network on neighbouring slices of all of a user's volumes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from numpy.typing import NDArray
from torch import Tensor

from spss.propagation.neighbouring_slices import NeighbouringSlices
from spss.propagation.registration_network import RegistrationNetwork
from spss.types import ImageArray


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
    draw = NeighbouringSlices(
        images, soft_labels, axes, network.config.batch, np.random.default_rng(seed)
    )
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
