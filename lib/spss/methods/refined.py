"""Supervision by labels that move from propagation to the teacher, as PLN and SPSS publish it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spss.methods.batch import Batch
from spss.methods.losses import soft_cross_entropy, soft_dice_loss
from spss.refinement import (
    disagreement_factor,
    distance_weights,
    fill_holes,
    fuse,
    scheduled_teacher_share,
)
from spss.selfpaced import most_likely

NOMINAL_ITERATIONS = 6000
"""t_max of PLN and SPSS: their schedules count these iterations; a shorter training runs through
all of them faster."""


@dataclass(frozen=True)
class RefinedConfig:
    """Constants of PLN's supervised loss, all from its released code."""

    teacher_share: float = field(
        default=0.9, metadata={"help": "w_p(t) = share (t/t_max)^power; PLN: 0.9, 0 switches off"}
    )
    teacher_power: float = field(default=0.2, metadata={"help": "power of w_p(t); PLN: 0.2"})
    slice_decay: float = field(
        default=0.8,
        metadata={"help": "weight of a voxel one slice from an annotated one; PLN: 0.8"},
    )
    disagreement_start: int = field(
        default=1000, metadata={"help": "nominal iteration at which hard voxels weigh more; PLN"}
    )
    dice_weight: float = field(
        default=0.3, metadata={"help": "Dice beside cross-entropy; PLN: 0.3"}
    )
    supervised_weight: float = field(default=0.5, metadata={"help": "factor of the sum; PLN: 0.5"})
    hard_labels: bool = field(
        default=True, metadata={"help": "threshold the fused label, as published, or keep it soft"}
    )
    fill_holes: bool = field(
        default=False, metadata={"help": "fill 3-D holes of the fused label; published, slow"}
    )


def nominal_iteration(fraction: float) -> int:
    """The published iteration t that corresponds to a share of the training."""
    return round(fraction * NOMINAL_ITERATIONS)


def refined_supervision(
    logits: Tensor,
    batch: Batch,
    teacher: Tensor,
    fraction: float,
    config: RefinedConfig,
    *,
    label: Tensor | None = None,
    integer_weights: bool = False,
    double_softmax: bool = False,
) -> Tensor:
    """L_sup = 0.5 (sum W CE(p, y) / sum W + 0.3 Dice(p, y)) on the refined label y.

    y = fuse(propagated, teacher, w_p(t)) with annotated voxels reset to the truth;
    W = 0.8^d (1 + disagreement(t)).

    Args:
        logits: ``(B, C, X, Y, Z)`` float32 of the student.
        batch: patches; voxels without a propagated label do not count.
        teacher: ``(B, C, X, Y, Z)`` probabilities, without gradient.
        fraction: share of the training done.
        config: see `RefinedConfig`.
        label: `refined_label` of this step where the caller needs it too; None computes it.
        integer_weights: defect A1 of the released code: W rounded towards 0.
        double_softmax: defect A2: the cross-entropy takes probabilities for logits.
    """
    t = nominal_iteration(fraction)
    if label is None:
        label = refined_label(batch, teacher, t, config)
    weights = distance_weights(batch.distance, base=config.slice_decay) * disagreement_factor(
        most_likely(batch.pseudo_label), most_likely(teacher), t, start=config.disagreement_start
    )
    counts = batch.reliability > 0
    weights = (weights.trunc() if integer_weights else weights) * counts
    probabilities = logits.softmax(1)
    cross_entropy = soft_cross_entropy(probabilities if double_softmax else logits, label, weights)
    dice = soft_dice_loss(probabilities, label, counts.float())
    return config.supervised_weight * (cross_entropy + config.dice_weight * dice)


@torch.no_grad()
def refined_label(batch: Batch, teacher: Tensor, t: int, config: RefinedConfig) -> Tensor:
    """``(B, C, X, Y, Z)``: the propagated label fused with the teacher at nominal iteration t."""
    share = scheduled_teacher_share(
        t, NOMINAL_ITERATIONS, maximum=config.teacher_share, power=config.teacher_power
    )
    label = fuse(
        batch.pseudo_label,
        teacher,
        share,
        annotated=batch.annotated[:, None],
        hard=config.hard_labels,
    )
    return _without_holes(label, batch) if config.fill_holes else label


def _without_holes(label: Tensor, batch: Batch) -> Tensor:
    count = label.shape[1]
    classes = most_likely(label).to(torch.uint8).cpu().numpy()
    filled = [torch.from_numpy(fill_holes(each, class_count=count)) for each in classes]
    target = torch.nn.functional.one_hot(torch.stack(filled).long(), count).movedim(-1, 1)
    changed = most_likely(target).to(label.device) != most_likely(label)
    changed &= ~batch.annotated
    return torch.where(changed[:, None], target.to(label), label)
