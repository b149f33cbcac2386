"""Learned affinities between slices: which pixels of one look like a pixel of the next.

Sli2Vol (Yeung et al., MICCAI 2021), with three convolutions instead of a ResNet-18.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from spss.propagation.saved_network import SavedNetwork


@dataclass(frozen=True, kw_only=True)
class CorrespondenceConfig:
    """What the network is and how it is trained.

    Attributes:
        radius: half side R of the window searched (Sli2Vol: 6; slices here are smaller).
        profile: half side of the neighbourhood whose differences describe a pixel (Sli2Vol: 3).
        features: channels of the learned description (Sli2Vol: 64).
        learning_rate: Adam's (Sli2Vol: 1e-4, for a far longer training).
        batch: slice pairs a step.
    """

    radius: int = 4
    profile: int = 2
    features: int = 16
    learning_rate: float = 1e-3
    batch: int = 4


class CorrespondenceNetwork(SavedNetwork):
    """Edge profile (softmax over the differences to the neighbours), then three convolutions.

    Args:
        config: architecture and training constants.
    """

    kind: ClassVar[str] = "correspondence network"
    Config: ClassVar[type] = CorrespondenceConfig
    config: CorrespondenceConfig

    def __init__(self, config: CorrespondenceConfig | None = None) -> None:
        super().__init__(config)
        profile, features = self.config.profile, self.config.features
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
        profile = self.config.profile
        side = 2 * profile + 1
        padded = functional.pad(slices, [profile] * 4, mode="replicate")
        around = functional.unfold(padded, side).unflatten(1, (-1,))
        around = around.reshape(len(slices), side * side, *slices.shape[-2:])
        centre = side * side // 2
        others = torch.cat([around[:, :centre], around[:, centre + 1 :]], 1)
        edges = torch.softmax(10 * (others - slices), 1) * others.shape[1]
        return self.layers(torch.cat([edges - 1, slices], 1))

    def rebuild(self, target: Tensor, source: Tensor, maps: Tensor) -> Tensor:
        """``(B, N, H, W)`` maps of the source slices, where the target slices find them."""
        return affinity_warp(self(target), self(source), maps, self.config.radius)


def affinity_warp(target: Tensor, source: Tensor, maps: Tensor, radius: int) -> Tensor:
    """Rebuilds ``maps`` of the source slices on the target slices.

    ``out(p) = sum_q softmax_q(<target(p), source(q)>) maps(q)`` over the q within ``radius`` of p.

    Args:
        target: ``(B, F, H, W)`` description of the target slices.
        source: ``(B, F, H, W)`` of the source slices.
        maps: ``(B, N, H, W)`` on the source slices.
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
