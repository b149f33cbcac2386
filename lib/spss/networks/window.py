"""A network over a volume of any size: in one pass where it fits, else by sliding window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor

from spss.types import Shape

WHOLE_PATCHES = 3.0
"""Up to so many times the voxels of a patch go through in one pass: no seams, and instance
normalisation sees the whole volume as it did in training."""

NOISY_PASSES = 4
"""Passes behind an uncertainty map (SPSS uses 8 with gradients off; half the cost here)."""

NOISE = 0.1
"""Standard deviation of their noise, in deviations of the image (UA-MT, SPSS)."""

OVERLAP = 0.5
"""Share by which windows overlap (nnU-Net)."""


def whole_or_window(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    patch: Shape,
    multiple: Shape,
    device: torch.device,
    whole: bool = True,
) -> NDArray[np.float32]:
    """Class probabilities ``(C, X, Y, Z)`` float32 of one ``(X, Y, Z)`` image.

    Windows are weighted by a Gaussian; their sum lives in main memory. ``whole`` false takes
    windows for a small image too, which needs less memory.
    """
    size = [
        max(edge, -(-have // step) * step)
        for have, edge, step in zip(image.shape, patch, multiple, strict=True)
    ]
    if whole and np.prod(size) <= WHOLE_PATCHES * np.prod(patch):
        missing = [want - have for want, have in zip(size, image.shape, strict=True)]
        before = [amount // 2 for amount in missing]
        pad = [
            value
            for amount, first in zip(reversed(missing), reversed(before), strict=True)
            for value in (first, amount - first)
        ]
        logits = network(F.pad(image, pad)[None, None].to(device)).float()[0]
        inner = tuple(
            slice(first, first + have) for first, have in zip(before, image.shape, strict=True)
        )
        return logits.softmax(dim=0)[(slice(None), *inner)].cpu().numpy()
    result = sliding_window_inference(
        image[None, None],
        patch,
        sw_batch_size=1,
        predictor=lambda window: network(window).float().softmax(dim=1),
        overlap=OVERLAP,
        mode="gaussian",
        sw_device=device,
        device=torch.device("cpu"),
    )
    assert isinstance(result, Tensor)
    return result[0].numpy()


def window_step(edge: int) -> int:
    """Distance between neighbouring windows along an axis, as the sliding window lays them."""
    return max(1, int(edge * (1 - OVERLAP)))


def noisy_mean(
    network: Callable[[Tensor], Tensor], noise: float, passes: int, generator: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """A network whose softmax is the mean of the softmax over noisy copies of its input.

    Returns log-probabilities, so that a softmax over them gives the mean back.
    """

    def mean(image: Tensor) -> Tensor:
        """Log of the mean softmax; only one noisy copy's maps are held at a time."""
        total = torch.zeros(())
        for _ in range(passes):
            normal = torch.randn(image.shape, generator=generator, device=image.device)
            total = total + network(image + noise * normal).float().softmax(dim=1)
        return (total / passes).clamp_min(1e-12).log()

    return mean
