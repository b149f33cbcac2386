"""Affinity propagation between neighbouring slices (Sli2Vol, Yeung et al., MICCAI 2021).

No field and no folding: every pixel of the next slice takes its class from the pixels of this
slice that look like it, within a window. Topology may change freely; borders blur a little with
every step, so it drifts over many slices where a composed field does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class CorrespondencePropagator:
    """Carries a drawn slice by learned affinities.

    Attributes:
        radius: half side R of the window searched (Sli2Vol: 6; slices here are smaller).
        profile: half side of the neighbourhood whose differences describe a pixel (Sli2Vol: 3).
        features: channels of the learned description.
        fit_steps: label-free training steps on the volume at hand.
        verify: keep a pixel only if its intensity is nearer the mean inside the previous slice's
            mask than the mean of the ring around it (Sli2Vol's verification).
        ring: width of that ring in pixels (Sli2Vol: 5).
        seed: draws the slices to train on.
    """

    radius: int = 4
    profile: int = 2
    features: int = 16
    fit_steps: int = 60
    verify: bool = True
    ring: int = 5
    seed: int = 0

    name = "correspondence"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        slices = torch.from_numpy(np.ascontiguousarray(stack.slices))[:, None]
        encoder = self._fit(slices)
        return [self._carry_one(stack, slices, each, encoder) for each in drawn]

    def _fit(self, slices: Tensor) -> torch.nn.Module:
        """Learns to rebuild a slice from its neighbour (smooth L1, Sli2Vol's only loss)."""
        torch.manual_seed(self.seed)
        encoder = _Encoder(self.profile, self.features)
        if len(slices) < 2:
            return encoder.eval()
        rng = np.random.default_rng(self.seed)
        optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-3)
        for _ in range(self.fit_steps):
            first = int(rng.integers(len(slices) - 1))
            pair = slices[first : first + 2]
            if rng.random() < 0.5:
                pair = pair.flip(0)
            described = encoder(pair)
            rebuilt = affinity_warp(described[1:], described[:1], pair[:1], self.radius)
            loss = functional.smooth_l1_loss(rebuilt, pair[1:])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return encoder.eval()

    def _carry_one(
        self, stack: Stack, slices: Tensor, drawn: DrawnSlice, encoder: torch.nn.Module
    ) -> Carried:
        """Slice by slice away from the plane, each from the one that was carried before it."""
        probabilities = np.zeros((drawn.one_hot.shape[0], *stack.shape), np.float32)
        warped = np.zeros(stack.shape, np.float32)
        probabilities[:, drawn.index] = drawn.one_hot
        warped[drawn.index] = stack.slices[drawn.index]
        start = torch.from_numpy(np.concatenate([drawn.one_hot, stack.slices[drawn.index][None]]))[
            None
        ]
        with torch.inference_mode():
            for step in (1, -1):
                end = drawn.last if step > 0 else drawn.first
                maps, before = start, encoder(slices[drawn.index : drawn.index + 1])
                for index in range(drawn.index + step, end + step, step):
                    here = encoder(slices[index : index + 1])
                    maps = affinity_warp(here, before, maps, self.radius)
                    if self.verify:
                        maps = self._verified(maps, slices[index, 0], slices[index - step, 0])
                    probabilities[:, index] = maps[0, :-1].numpy()
                    warped[index] = maps[0, -1].numpy()
                    before = here
        return Carried(probabilities=probabilities, warped=warped)

    def _verified(self, maps: Tensor, image: Tensor, before: Tensor) -> Tensor:
        """Hands pixels that look like their class's surroundings back to background."""
        maps = maps.clone()
        for index in range(1, maps.shape[1] - 1):
            mask = maps[:, index : index + 1]
            wide = functional.max_pool2d(mask, 2 * self.ring + 1, 1, self.ring)
            inside, ring = mask[0, 0] > 0.5, (wide[0, 0] > 0.5) & (mask[0, 0] <= 0.5)
            if not inside.any() or not ring.any():
                continue
            middle, around = before[inside].mean(), before[ring].mean()
            strange = (image - middle).abs() > (image - around).abs()
            lost = mask[0, 0] * strange * 0.5
            maps[0, index] -= lost
            maps[0, 0] += lost
        return maps


class _Encoder(torch.nn.Module):
    """Edge profile (softmax over the differences to the neighbours), then three convolutions."""

    def __init__(self, profile: int, features: int) -> None:
        super().__init__()
        self.profile = profile
        around = (2 * profile + 1) ** 2 - 1
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(around + 1, 32, 3, padding=1),
            torch.nn.LeakyReLU(0.1),
            torch.nn.Conv2d(32, 32, 3, padding=1),
            torch.nn.LeakyReLU(0.1),
            torch.nn.Conv2d(32, features, 3, padding=1),
        )

    def forward(self, slices: Tensor) -> Tensor:
        """``(B, 1, H, W)`` to ``(B, features, H, W)``: what a voxel's surroundings look like."""
        side = 2 * self.profile + 1
        padded = functional.pad(slices, [self.profile] * 4, mode="replicate")
        around = functional.unfold(padded, side).unflatten(1, (-1,))
        around = around.reshape(len(slices), side * side, *slices.shape[-2:])
        centre = side * side // 2
        others = torch.cat([around[:, :centre], around[:, centre + 1 :]], 1)
        edges = torch.softmax(10 * (others - slices), 1) * others.shape[1]
        return self.layers(torch.cat([edges - 1, slices], 1))


def affinity_warp(target: Tensor, source: Tensor, maps: Tensor, radius: int) -> Tensor:
    """Rebuilds ``maps`` of the source slice on the target slice.

    ``out(p) = sum_q softmax_q(<target(p), source(q)>) maps(q)`` over the q within ``radius`` of p.

    Args:
        target: ``(1, F, H, W)`` description of the target slice.
        source: ``(1, F, H, W)`` of the source slice.
        maps: ``(1, N, H, W)`` on the source slice.
        radius: in pixels.
    """
    height, width = target.shape[-2:]
    reach = [radius] * 4
    source, maps = (functional.pad(each, reach, mode="replicate") for each in (source, maps))
    shifts = [(row, column) for row in range(2 * radius + 1) for column in range(2 * radius + 1)]
    affinity = torch.stack(
        [(target * source[..., r : r + height, c : c + width]).sum(1) for r, c in shifts], 1
    )
    share = torch.softmax(affinity, 1)
    moved = torch.zeros_like(maps[..., :height, :width])
    for index, (row, column) in enumerate(shifts):
        moved = (
            moved
            + share[:, index : index + 1] * maps[..., row : row + height, column : column + width]
        )
    return moved
