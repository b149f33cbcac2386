"""Soft fusion of a propagated pseudo-label and a teacher's prediction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.errors import InputError
from spss.selfpaced import most_likely


def scheduled_teacher_share(
    iteration: int, iterations: int, *, maximum: float = 0.9, power: float = 0.2
) -> float:
    """w_p(t) = 0.9 (t / t_max)^0.2: the paper's share of the teacher, the same for every voxel.

    Source: SPSS (MICCAI 2024) and PLN (Li et al., TMI 2023), released code. It passes one half,
    where a hard fusion lets the teacher overrule propagation, after 5.3 % of training.
    """
    if iterations < 1:
        msg = f"The refinement schedule needs at least one iteration, got {iterations}."
        raise InputError(msg)
    progress = min(max(iteration, 0) / iterations, 1.0)
    return maximum * progress**power


def reliability_teacher_share(
    reliability: Tensor,
    teacher_probabilities: Tensor,
    *,
    maximum: float = 0.9,
) -> Tensor:
    """w(v) = maximum · (1 - reliability(v)) · certainty(v).

    The teacher overrules only where propagation is not trusted *and* the teacher is certain;
    certainty = (max_c p_c - 1/C) / (1 - 1/C) is 0 for a uniform prediction and 1 for a sure one.
    Own rule; the paper's schedule lets the teacher overrule everywhere and lowered the result in
    our measurements.

    Args:
        reliability: ``(B, 1, *spatial)`` in 0…1.
        teacher_probabilities: ``(B, C, *spatial)``.
        maximum: largest share.

    Returns:
        ``(B, 1, *spatial)``.
    """
    return maximum * (1.0 - reliability.clamp(0, 1)) * certainty(teacher_probabilities)


def certainty(probabilities: Tensor) -> Tensor:
    """(max_c p_c - 1/C) / (1 - 1/C) in 0…1; ``(B, C, *spatial)`` → ``(B, 1, *spatial)``."""
    count = probabilities.shape[1]
    top = probabilities.amax(1, keepdim=True)
    return ((top - 1.0 / count) / (1.0 - 1.0 / count)).clamp(0, 1)


def fuse(
    pseudo_label: Tensor,
    teacher_probabilities: Tensor,
    teacher_share: Tensor | float,
    *,
    annotated: Tensor | None = None,
    truth: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """ŷ = (1 - w) y_reg + w p_teacher; annotated voxels are reset to the truth.

    Args:
        pseudo_label: ``(B, C, *spatial)`` propagated probabilities.
        teacher_probabilities: ``(B, C, *spatial)``; never gets a gradient.
        teacher_share: w in 0…1, one number or ``(B, 1, *spatial)``.
        annotated: ``(B, 1, *spatial)`` bool, voxels a person decided; over any number of planes.
        truth: ``(B, *spatial)`` integer classes, read where ``annotated``. None: the pseudo-label,
            which is exact there.
        hard: one-hot of the most likely class, as published, instead of probabilities.

    Returns:
        ``(B, C, *spatial)``, sums to one over C where its inputs do.
    """
    if pseudo_label.shape != teacher_probabilities.shape:
        msg = (
            "Fusion needs a pseudo-label and a prediction of one shape, got "
            f"{tuple(pseudo_label.shape)} and {tuple(teacher_probabilities.shape)}."
        )
        raise InputError(msg)
    fused = pseudo_label + teacher_share * (teacher_probabilities.detach() - pseudo_label)
    if hard:
        fused = one_hot(most_likely(fused), fused.shape[1]).to(fused.dtype)
    if annotated is None:
        return fused
    exact = pseudo_label if truth is None else one_hot(truth, fused.shape[1]).to(fused.dtype)
    return torch.where(annotated, exact, fused)


def one_hot(classes: Tensor, class_count: int) -> Tensor:
    """``(B, *spatial)`` integer → ``(B, C, *spatial)`` int64."""
    return F.one_hot(classes.long(), class_count).movedim(-1, 1)
