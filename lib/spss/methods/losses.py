"""Losses that know where a label is absent, soft, or only half trusted.

All work on logits and probabilities in float32; a weight of 0 takes a voxel out entirely, which is
nnU-Net's meaning of ``ignore``: neither the cross-entropy nor the Dice term sees it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.nn.functional import all_reduce

EPSILON = 1e-5
"""Smoothing of the Dice ratio, as in nnU-Net's memory-efficient soft Dice."""


def segmentation_loss(
    logits: Tensor, target: Tensor, weight: Tensor, *, dice_weight: float = 1.0
) -> Tensor:
    """Weighted soft cross-entropy plus weighted soft Dice.

    Args:
        logits: ``(B, C, X, Y, Z)`` float32.
        target: same shape, probabilities that sum to one over C where weight > 0.
        weight: ``(B, X, Y, Z)`` float32 ≥ 0.
        dice_weight: factor of the Dice term (1 in nnU-Net's compound loss).

    Returns:
        Scalar; exactly 0, with a zero gradient, when no voxel has weight.
    """
    cross_entropy = soft_cross_entropy(logits, target, weight)
    return cross_entropy + dice_weight * soft_dice_loss(logits.softmax(dim=1), target, weight)


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Sum over voxels of w · (-sum_c t_c log p_c), divided by the sum of w; 0 where all w are 0."""
    per_voxel = -(target * F.log_softmax(logits, dim=1)).sum(dim=1)
    return total((weight * per_voxel).sum()) / total(weight.sum()).clamp_min(EPSILON)


def soft_dice_loss(probabilities: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """1 - 2 sum(w p t) / sum(w p² + w t²), mean over foreground classes, over the whole batch.

    The squared denominator (V-Net, Milletari et al. 2016, eq. of section 3) is smallest at p = t
    for soft targets too; the linear one would push p to 0 or 1. Sums run over the batch, as
    nnU-Net's ``batch_dice``: a class that a patch lacks then costs nothing by itself.
    A class with neither target nor prediction counts as perfect.
    """
    dims = (0, 2, 3, 4)
    weight = weight.unsqueeze(1)
    foreground, wanted = probabilities[:, 1:], target[:, 1:]
    if foreground.shape[1] == 0:
        return probabilities.sum() * 0.0
    overlap = total((weight * foreground * wanted).sum(dims))
    both = total((weight * (foreground.square() + wanted.square())).sum(dims))
    return (1 - (2 * overlap + EPSILON) / (both + EPSILON)).mean()


def total(part: Tensor) -> Tensor:
    """Sum over the processes that train together, with gradient; alone, the part itself.

    Ratios of such sums, averaged over the processes' gradients, are exactly the loss of the one
    batch that all patches together make.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return part
    if torch.distributed.get_world_size() == 1:
        return part
    return all_reduce(part)


def one_hot(classes: Tensor, class_count: int) -> Tensor:
    """``(B, X, Y, Z)`` indices to ``(B, C, X, Y, Z)`` float32; ``UNDECIDED`` becomes background.

    Use it together with a weight that is 0 where nothing was decided.
    """
    known = torch.where(classes < class_count, classes, torch.zeros_like(classes))
    return F.one_hot(known.long(), class_count).movedim(-1, 1).float()
