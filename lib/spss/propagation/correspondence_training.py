"""Trains affinities on neighbouring slices of all of a user's volumes, without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from spss.propagation.correspondence_network import CorrespondenceNetwork
from spss.propagation.neighbouring_slices import NeighbouringSlices
from spss.types import ImageArray


def train_correspondence(
    images: Sequence[ImageArray],
    *,
    network: CorrespondenceNetwork | None = None,
    axes: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    seed: int = 0,
) -> CorrespondenceNetwork:
    """Learns to rebuild a slice from its neighbour (smooth L1, Sli2Vol's only loss).

    Args:
        images: ``(I, J, K)`` volumes; see ``VolumeFiles`` for more of them than memory holds.
        network: to go on from; None starts a new one.
        axes: slice directions to learn.
        steps: Adam steps.
        seed: draws weights and pairs.
    """
    torch.manual_seed(seed)
    network = network or CorrespondenceNetwork()
    config = network.config
    draw = NeighbouringSlices(images, None, axes, config.batch, np.random.default_rng(seed))
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    network.train()
    for step in range(steps):
        target, source, _ = draw(step)
        loss = functional.smooth_l1_loss(network.rebuild(target, source, source), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()
