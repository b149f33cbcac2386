"""The registration network keeps learning beside the segmenter, and renews its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError, NotReadyError
from spss.methods.batch import Batch
from spss.methods.losses import soft_dice_loss
from spss.methods.method import LabelledVolume
from spss.propagation import UNFITTED_END_RULE, propagate
from spss.propagation.learned import LearnedPropagator
from spss.propagation.registration_network import RegistrationNetwork
from spss.propagation.registration_training import diffusion_energy
from spss.propagation.stack import ROBUST_PERCENTILES
from spss.types import UNDECIDED, SpacingMm

LEARNING_RATE = 1e-3
"""Adam's, VoxelMorph's for short trainings; the released code takes 1e-4 and 136,000 steps."""

PAIRS = 32
"""Adjacent slice pairs in a step of the released code."""

SMALLEST_EDGE = 16
"""The registration network halves four times and normalises what is left."""

START, EVERY = 0.3, 0.1
"""Shares of the training before labels are renewed for the first time, and between two times: what
an untrained network carries would be worse than what flow carried."""


class RegistrationFeedback:
    """A 2-D registration network that learns from the batches, and carries the planes anew.

    Su et al., MICCAI 2024, and Li et al., TMI 2023 (PLN), before it. On images the loss is
    MSE(warp(m), f) of adjacent slices m, f of all volumes; on labels MSE + Dice(warp(y_m), y_f) on
    the labelled ones, y the refined label. Differences to the released code: slices along every
    axis, since a plane may be drawn along any; the field is kept smooth; and where that carries a
    plane anew in each step, here whole volumes get new labels after every tenth of the training.

    Args:
        device: where the batches are.
        class_count: classes of the network, background included.
        learning_rate: Adam's.
        seed: of the network's weights; the global generator is left as it was.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        class_count: int,
        learning_rate: float = LEARNING_RATE,
        seed: int = 0,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = RegistrationNetwork().to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate)
        self.class_count = class_count
        self.renewed_at = START - EVERY
        """Share of the training at which labels were renewed last."""
        self._refined: tuple[Batch, Tensor] | None = None

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

    def remember(self, batch: Batch, refined: Tensor) -> None:
        """Keeps a step's refined labels until the segmenter has taken the step."""
        self._refined = (batch, refined)

    def learn_remembered(self, *, steps: int, generator: torch.Generator) -> dict[str, float]:
        """`learn_labels` of what was remembered, once; returns the number to log, if any."""
        if self._refined is None:
            return {}
        (batch, refined), self._refined = self._refined, None
        loss = self.learn_labels(batch, refined, steps=steps, generator=generator)
        return {"registration": loss}

    def renew(
        self, volumes: Sequence[LabelledVolume], spacing_mm: SpacingMm, fraction: float
    ) -> dict[str, Tensor]:
        """New soft maps of those volumes whose planes the network carries; none if it is not time.

        Clicks, scribbles and dense labels have no plane to carry: their volumes stay as they are.
        """
        if fraction < self.renewed_at + EVERY - 1e-9:
            return {}
        self.renewed_at = fraction
        self.network.eval()
        carried = {each.name: self._carried(each, spacing_mm) for each in volumes}
        self.network.train()
        return {name: soft for name, soft in carried.items() if soft is not None}

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments and when labels were renewed."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "renewed_at": self.renewed_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.renewed_at = float(state["renewed_at"])

    def _learn(
        self, images: Tensor, labels: Tensor | None, steps: int, generator: torch.Generator
    ) -> float:
        axes = [axis for axis in range(3) if images.shape[2 + axis] > 1]
        loss = images.new_zeros(())
        if not axes or steps < 1:
            return 0.0
        images = _scaled(images)
        for _ in range(steps):
            draw = torch.rand((), generator=generator, device=images.device)
            pairs = _Pairs(images, axes[int(draw * len(axes))], generator)
            flow = self.network(pairs.fixed, pairs.moving)
            moved = self.network.warp(pairs.moving, flow)
            loss = F.mse_loss(moved, pairs.fixed)
            loss = loss + self.network.config.smoothness * diffusion_energy(flow)
            if labels is not None:
                loss = loss + _label_dice(self.network.warp, pairs.of(labels), flow)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        return float(loss.detach())

    def _carried(self, volume: LabelledVolume, spacing_mm: SpacingMm) -> Tensor | None:
        """``(C + 2, X, Y, Z)`` float16: the volume's planes, carried by the network as it is."""
        truth = volume.truth.numpy()
        planes = _whole_planes(truth != UNDECIDED)
        if volume.soft is None or not planes:
            return None
        label = SparseLabel.from_planes(np.where(truth == UNDECIDED, 0, truth), planes)
        try:
            found = propagate(
                volume.image.numpy(),
                label,
                spacing_mm=spacing_mm,
                class_count=self.class_count,
                propagator=LearnedPropagator(network=self.network),
                end_rule=UNFITTED_END_RULE,
            )
        except (InputError, NotReadyError):
            return None  # it could not be carried before either
        maps = torch.from_numpy(np.stack([*found.probabilities, found.reliability]))
        return torch.cat([maps.half(), volume.soft[-1:]])


class _Pairs:
    """Random neighbours along one axis, either way round."""

    def __init__(self, images: Tensor, axis: int, generator: torch.Generator) -> None:
        draw = torch.rand(3, PAIRS, generator=generator, device=images.device)
        self.axis = axis
        self.volumes = (draw[0] * len(images)).long()
        lower = (draw[1] * (images.shape[2 + axis] - 1)).long()
        up = (draw[2] < 0.5).long()
        self.places = lower + up, lower + 1 - up
        self.fixed, self.moving = self.of(images)

    def of(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Fixed and moving slices ``(PAIRS, C, H, W)`` of ``(B, C, X, Y, Z)`` maps."""
        slices = maps.movedim(2 + self.axis, 1)
        fixed, moving = (_wide_enough(slices[self.volumes, place]) for place in self.places)
        return fixed, moving


def _wide_enough(slices: Tensor) -> Tensor:
    """Zeros beside slices so small that one pixel would be left where the network is deepest."""
    if max(slices.shape[2:]) > SMALLEST_EDGE:
        return slices
    return F.pad(slices, (0, 0, 0, SMALLEST_EDGE + 1 - slices.shape[2]))


def _scaled(images: Tensor) -> Tensor:
    """Each image to 0…1 between its robust bounds, as a `Stack` is when planes are carried."""
    low, high = (
        torch.stack([each.float().quantile(share / 100) for each in _thinned(images)])
        for share in ROBUST_PERCENTILES
    )
    low, high = (bound.reshape(-1, 1, 1, 1, 1) for bound in (low, high))
    return ((images - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def _thinned(images: Tensor) -> Tensor:
    """Every so many voxels of each image: bounds need no more, and quantiles sort."""
    flat = images.flatten(1)
    return flat[:, :: max(1, flat.shape[1] // 50_000)]


def _label_dice(warp: Any, pairs: tuple[Tensor, Tensor], flow: Tensor) -> Tensor:
    wanted, moving = pairs
    moved = warp(moving, flow)
    everywhere = torch.ones_like(moved[:, 0])
    return soft_dice_loss(moved[..., None], wanted[..., None], everywhere[..., None])


def _whole_planes(annotated: np.ndarray) -> list[Plane]:
    """Planes in which every voxel was decided; none of a dense label, which needs no carrying."""
    if annotated.all():
        return []
    return [
        Plane(axis, int(index))
        for axis in range(3)
        for index in np.flatnonzero(
            annotated.all(axis=tuple(other for other in range(3) if other != axis))
        )
    ]
