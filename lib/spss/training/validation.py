"""How good the present teacher is on held-out cases, as far as people annotated them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from spss.networks.window import whole_or_window
from spss.training.acceleration import Acceleration
from spss.training.case import PreparedCase
from spss.training.plan import Plan
from spss.types import UNDECIDED

_SMALLEST = 1e-8


@torch.no_grad()
def validation_dice(
    network: nn.Module,
    cases: Sequence[PreparedCase],
    plan: Plan,
    *,
    class_count: int,
    acceleration: Acceleration,
    device: torch.device,
) -> float | None:
    """Mean Dice over foreground classes, all annotated voxels of all cases pooled.

    Only what lies within half a patch of an annotated voxel is predicted: of a large volume with
    one plane a slab. Pooling gives a number even where each case has one annotated plane that shows
    one class.

    Returns:
        None if no case has an annotated voxel or no foreground class was annotated.
    """
    overlap = torch.zeros(class_count)
    total = torch.zeros(class_count)
    network.eval()
    for case in cases:
        if not case.is_labelled:
            continue
        near = case.near_annotation(plan.patch_size)
        with acceleration.autocast(device)():
            probabilities = whole_or_window(
                network,
                case.image[near],
                patch=plan.patch_size,
                multiple=plan.architecture.total_stride,
                device=device,
            )
        predicted = torch.from_numpy(probabilities.argmax(axis=0))
        annotation = case.truth[near]
        seen = annotation != UNDECIDED
        for value in range(class_count):
            guess, truth = (predicted == value) & seen, annotation == value
            overlap[value] += 2 * (guess & truth).sum()
            total[value] += guess.sum() + truth.sum()
    annotated = total[1:] > 0
    if not annotated.any():
        return None
    return float((overlap[1:][annotated] / total[1:][annotated].clamp_min(_SMALLEST)).mean())
