"""The registration network keeps learning beside the segmenter, as PLN and SPSS publish it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spss.methods.batch import Batch
from spss.methods.losses import soft_dice_loss
from spss.propagation.registration_network import RegistrationNetwork

LEARNING_RATE = 1e-4
"""Adam's in the released code."""

PAIRS = 32
"""Adjacent slice pairs in a step of the released code."""

SMALLEST_EDGE = 16
"""The registration network halves four times and normalises what is left."""

SLICE_AXIS = 2
"""The released code registers along the patch's last axis."""


class RegistrationFeedback:
    """Adam steps of a 2-D registration network on adjacent slices of the batch.

    Su et al., MICCAI 2024 (METHODS 1.2): before the segmenter's step the loss is MSE(warp(m), f) on
    slices m, f of all volumes; after it MSE + Dice(warp(y_m), y_f) on the labelled ones, y the
    refined label. There is no smoothness term, as published. What is learned here reaches the
    labels only if somebody propagates them anew with this network; within a training the labels
    stay as they were prepared, so this part has a cost and no effect on the segmenter.

    Args:
        device: where the batches are.
        learning_rate: Adam's.
        seed: of the network's weights; the global generator is left as it was.
    """

    def __init__(
        self, device: torch.device, *, learning_rate: float = LEARNING_RATE, seed: int = 0
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = RegistrationNetwork().to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def learn_images(self, batch: Batch, *, steps: int, generator: torch.Generator) -> float:
        """Takes ``steps`` on the images alone; returns the last loss, 0 without a step."""
        return self._learn(batch.image, None, steps, generator)

    def learn_labels(
        self, batch: Batch, refined: Tensor, *, steps: int, generator: torch.Generator
    ) -> float:
        """Takes ``steps`` on the labelled volumes' images and refined labels.

        Args:
            batch: the segmenter's batch.
            refined: ``(B, C, X, Y, Z)`` label of every volume.
            steps: Adam steps.
            generator: draws the slice pairs, on the batch's device.

        Returns:
            The last loss; 0 without a step or a labelled volume.
        """
        rows = batch.labelled
        if not bool(rows.any()):
            return 0.0
        return self._learn(batch.image[rows], refined[rows], steps, generator)

    def state_dict(self) -> dict[str, Any]:
        """Weights and moments."""
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _learn(
        self, images: Tensor, labels: Tensor | None, steps: int, generator: torch.Generator
    ) -> float:
        if images.shape[2 + SLICE_AXIS] < 2:  # nothing is adjacent to anything
            return 0.0
        images, labels = _wide_enough(images), None if labels is None else _wide_enough(labels)
        loss = images.new_zeros(())
        for _ in range(steps):
            fixed, moving, pick = _slice_pairs(images, generator)
            flow = self.network(fixed, moving)
            loss = torch.nn.functional.mse_loss(self.network.warp(moving, flow), fixed)
            if labels is not None:
                loss = loss + _label_dice(self.network.warp, labels, flow, pick)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        return float(loss.detach())


Pick = tuple[Tensor, Tensor, Tensor]
"""Volume, fixed slice and moving slice of each pair."""


def _wide_enough(maps: Tensor) -> Tensor:
    """Zeros beside slices so small that one voxel would be left where the network is deepest."""
    if max(maps.shape[2:4]) > SMALLEST_EDGE:
        return maps
    return torch.nn.functional.pad(maps, (0, 0, 0, 0, 0, SMALLEST_EDGE + 1 - maps.shape[2]))


def _slice_pairs(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Pick]:
    """Random neighbours: fixed and moving slices ``(PAIRS, 1, H, W)``, and where they come from."""
    draw = torch.rand(3, PAIRS, generator=generator, device=images.device)
    volumes = (draw[0] * len(images)).long()
    lower = (draw[1] * (images.shape[2 + SLICE_AXIS] - 1)).long()
    up = (draw[2] < 0.5).long()
    pick = (volumes, lower + up, lower + 1 - up)
    return _slices(images, volumes, pick[1]), _slices(images, volumes, pick[2]), pick


def _slices(maps: Tensor, volumes: Tensor, places: Tensor) -> Tensor:
    """``(B, C, X, Y, Z)`` to ``(PAIRS, C, X, Y)``."""
    return maps.movedim(2 + SLICE_AXIS, 1)[volumes, places]


def _label_dice(warp: Any, labels: Tensor, flow: Tensor, pick: Pick) -> Tensor:
    volumes, fixed, moving = pick
    moved = warp(_slices(labels, volumes, moving), flow)
    wanted = _slices(labels, volumes, fixed)
    everywhere = torch.ones_like(moved[:, 0])
    return soft_dice_loss(moved[..., None], wanted[..., None], everywhere[..., None])
