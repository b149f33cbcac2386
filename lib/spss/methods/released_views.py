"""Views of a batch as SPSS's released code makes them: limited noise, and another crop."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.methods.method import StepContext


class Views(NamedTuple):
    """Two noisy copies of the batch and their mixture, with the mask that mixed them."""

    first: Tensor
    second: Tensor
    mixed: Tensor
    pasted: Tensor
    shift: int


def limited_noise(
    image: Tensor, deviation: float, context: StepContext, *, share: float = 1.0
) -> Tensor:
    """Gaussian noise clipped at two deviations, on a random share of the patches."""
    noise = (deviation * context.noise_like(image)).clamp(-2 * deviation, 2 * deviation)
    draw = torch.rand(len(image), generator=context.generator, device=image.device)
    return noise * (draw < share).to(noise).reshape(-1, 1, 1, 1, 1)


def other_crop(view: Tensor, context: StepContext) -> Tensor:
    """The same volumes, mirrored and shifted at random: other voxels at the same indices."""
    draw = torch.rand(6, generator=context.generator, device=view.device).tolist()
    flipped = view.flip([axis + 2 for axis in range(3) if draw[axis] < 0.5])
    shifts = [int(draw[3 + axis] * size) - size // 2 for axis, size in enumerate(view.shape[2:])]
    return flipped.roll(shifts, (2, 3, 4))


def resized(maps: Tensor, grid: torch.Size) -> Tensor:
    """``(B, C, X, Y, Z)`` to another grid, trilinear."""
    return F.interpolate(maps, size=tuple(grid), mode="trilinear", align_corners=False)
