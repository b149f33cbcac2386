"""Local contrast against class prototypes: a few voxels of each class against class means."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.errors import InputError


def prototype_contrast(
    embeddings: Tensor,
    classes: Tensor,
    *,
    class_count: int,
    weights: Tensor | None = None,
    anchors_per_class: int = 64,
    temperature: float = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Pulls random voxels of a class to the class's mean embedding in every image of the batch.

    With m_{b,c} the weighted mean of the unit embeddings of class c in image b and P the set of all
    prototypes of the batch, for anchor h of class c

        l(h) = mean_b [ -log exp(cos(h, m_{b,c})/τ) / Σ_{m∈P} exp(cos(h, m)/τ) ].

    Source: Chaitanya et al., "Local contrastive loss with pseudo-label based self-training", MedIA
    2023 (τ = 0.1; there pairs of images and foreground only; here all images of the batch, and
    background has a prototype too, since a binary task has but one foreground class).

    Args:
        embeddings: ``(B, E, *spatial)``.
        classes: ``(B, *spatial)`` integer.
        class_count: number of classes including background.
        weights: ``(B, *spatial)`` weight ≥ 0 of a voxel in its prototype; voxels of weight 0 are no
            anchors. None means 1.
        anchors_per_class: random anchors of each class over the whole batch.
        temperature: τ.
        generator: source of the anchors, on the device of ``embeddings``.

    Returns:
        A float32 scalar; 0 if fewer than two classes are present.
    """
    if classes.shape != (embeddings.shape[0], *embeddings.shape[2:]) or temperature <= 0:
        msg = (
            "Prototype contrast needs a class for each embedded voxel and a temperature above 0, "
            f"got {tuple(classes.shape)} for {tuple(embeddings.shape)} and {temperature}."
        )
        raise InputError(msg)
    unit = F.normalize(embeddings.float().flatten(2), dim=1)  # (B, E, N)
    labels = classes.flatten(1)
    mass = torch.ones_like(unit[:, 0]) if weights is None else weights.flatten(1).float()
    members = F.one_hot(labels.long(), class_count).float() * mass[..., None]  # (B, N, C)
    present = members.sum(1) > 0  # (B, C)
    means = F.normalize(unit @ members, dim=1).transpose(1, 2)[present]  # (P, E)
    owner = torch.arange(class_count, device=classes.device).expand_as(present)[present]
    zero = unit.sum() * 0.0
    if owner.unique().numel() < 2:
        return zero

    losses = []
    voxels = unit.transpose(1, 2).reshape(-1, unit.shape[1])
    for wanted in owner.unique().tolist():
        candidates = ((labels == wanted) & (mass > 0)).reshape(-1).nonzero().squeeze(1)
        order = torch.randperm(candidates.numel(), generator=generator, device=candidates.device)
        anchors = voxels[candidates[order[:anchors_per_class]]]
        log_share = (anchors @ means.T / temperature).log_softmax(1)
        losses.append(-log_share[:, owner == wanted].mean())
    return torch.stack(losses).mean()
