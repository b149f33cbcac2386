"""How good the present teacher is on held-out cases, as far as people annotated them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    Pooling gives a number even where each case has one annotated plane that shows one class.

    Returns:
        None if no case has an annotated voxel or no foreground class was annotated.
    """
    overlap = torch.zeros(class_count)
    total = torch.zeros(class_count)
    network.eval()
    for case in cases:
        if not case.is_labelled:
            continue
        with acceleration.autocast(device)():
            predicted = _predict(network, case.image, plan, device)
        seen = case.truth != UNDECIDED
        for value in range(class_count):
            guess, truth = (predicted == value) & seen, case.truth == value
            overlap[value] += 2 * (guess & truth).sum()
            total[value] += guess.sum() + truth.sum()
    annotated = total[1:] > 0
    if not annotated.any():
        return None
    return float((overlap[1:][annotated] / total[1:][annotated].clamp_min(_SMALLEST)).mean())


def _predict(network: nn.Module, image: Tensor, plan: Plan, device: torch.device) -> Tensor:
    """``(X, Y, Z)`` class indices on the CPU, by sliding window."""
    from monai.inferers import sliding_window_inference

    logits = sliding_window_inference(
        image[None, None].to(device), plan.patch_size, 1, network, overlap=0.25, mode="gaussian"
    )
    assert isinstance(logits, Tensor)
    return F.softmax(logits.float(), dim=1).argmax(dim=1)[0].cpu()
