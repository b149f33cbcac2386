"""The bidirectional contrastive loss (SC), in memory linear in the number of voxels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.errors import InputError


def bidirectional_contrast(
    first: Tensor,
    second: Tensor,
    pool: Tensor,
    *,
    anchor_classes: Tensor,
    pool_probabilities: Tensor,
    negative_count: int = 50,
    temperature: float = 0.07,
    anchor_weights: Tensor | None = None,
) -> Tensor:
    """Pulls two views of a voxel together, away from confident voxels of other classes.

    With f¹, f² and g the L2-normalised embeddings of the two views and of the pool, c_i the class
    of anchor i and N_i the K voxels of the pool with predicted class ≠ c_i and the highest
    max-probability:

        s_i = f¹_i·f²_i / τ,   l(f) = -s_i + log(exp s_i + Σ_{j∈N_i} exp(f_i·g_j / τ)),
        L = Σ_i w_i (l(f¹_i) + l(f²_i)) / Σ_i w_i.

    Source: Zhao et al., "RCPS", JBHI 2023, and SPSS, MICCAI 2024 (K = 50, τ = 0.07). N_i depends on
    c_i alone, so it is chosen once per class: O(N K) numbers, not the dense form's N x N mask,
    with the same value. Everything is float32, since exp(1/0.07) overflows float16. A pool voxel of
    the anchor's own class is never a negative; where fewer than K are left, fewer are used, and an
    anchor without any is skipped (the published top-k filled up with same-class voxels).

    Args:
        first: ``(B, E, *spatial)`` embeddings of the first view.
        second: ``(B, E, *spatial)`` embeddings of the second view, same voxels.
        pool: ``(B', E, *spatial')`` embeddings negatives come from; detach it to keep it fixed.
        anchor_classes: ``(B, *spatial)`` integer class of each anchor.
        pool_probabilities: ``(B', C, *spatial')`` class probabilities of the pool.
        negative_count: K.
        temperature: τ.
        anchor_weights: ``(B, *spatial)`` weight w_i ≥ 0 of each anchor, e.g. the mask of selected
            voxels; None means 1.

    Returns:
        A float32 scalar; 0 (with gradient 0) if no anchor has both a weight and a negative.
    """
    _check(first, second, pool, anchor_classes, pool_probabilities, negative_count, temperature)
    f1, f2, g = (_flat_unit(embedding) for embedding in (first, second, pool))
    positive = (f1 * f2).sum(1) / temperature
    weights = torch.ones_like(positive) if anchor_weights is None else anchor_weights.reshape(-1)
    loss, total = positive.sum() * 0.0, positive.new_zeros(())
    for anchors, chosen in _opponents(
        anchor_classes.reshape(-1), weights, pool_probabilities, negative_count
    ):
        weight, match = weights[anchors].to(positive.dtype), positive[anchors]
        negatives = g[chosen].T / temperature
        for embedding in (f1, f2):
            scores = torch.cat([match[:, None], embedding[anchors] @ negatives], 1)
            loss = loss + (weight * (scores.logsumexp(1) - match)).sum()
        total = total + weight.sum()
    return loss / total.clamp_min(torch.finfo(total.dtype).tiny)


def _opponents(
    classes: Tensor, weights: Tensor, pool_probabilities: Tensor, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Class by class: the anchors that count, ``(n,)``, and N_i, which they share, ``(≤ count,)``.

    Classes without such an anchor or without any negative are left out.
    """
    confidence, pool_classes = pool_probabilities.detach().float().max(1)
    confidence, pool_classes = confidence.reshape(-1), pool_classes.reshape(-1)
    for wanted in classes.unique().tolist():
        chosen = _most_confident(confidence, pool_classes != wanted, count)
        anchors = ((classes == wanted) & (weights > 0)).nonzero().squeeze(1)
        if chosen.numel() and anchors.numel():
            yield anchors, chosen


def _flat_unit(embedding: Tensor) -> Tensor:
    """``(B, E, *spatial)`` → ``(N, E)`` float32 of unit length."""
    flat = embedding.float().flatten(2).transpose(1, 2).reshape(-1, embedding.shape[1])
    return F.normalize(flat, dim=1)


def _most_confident(confidence: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` most confident allowed voxels, fewer if there are fewer."""
    candidates = allowed.nonzero().squeeze(1)
    if candidates.numel() <= count:
        return candidates
    return candidates[confidence[candidates].topk(count, sorted=False).indices]


def _check(
    first: Tensor,
    second: Tensor,
    pool: Tensor,
    anchor_classes: Tensor,
    pool_probabilities: Tensor,
    negative_count: int,
    temperature: float,
) -> None:
    """Shapes that broadcast by accident would give a number without any meaning."""
    spatial, pool_spatial = first.shape[2:], pool.shape[2:]
    if first.shape != second.shape or anchor_classes.shape != (first.shape[0], *spatial):
        msg = (
            "Both views and the anchors' classes must cover the same voxels, got "
            f"{tuple(first.shape)}, {tuple(second.shape)} and {tuple(anchor_classes.shape)}."
        )
        raise InputError(msg)
    if (
        pool.shape[0] != pool_probabilities.shape[0]
        or pool_probabilities.shape[2:] != pool_spatial
        or pool.shape[1] != first.shape[1]
    ):
        msg = (
            "The pool's embeddings and probabilities must cover the same voxels and have the "
            f"views' embedding size {first.shape[1]}, got {tuple(pool.shape)} and "
            f"{tuple(pool_probabilities.shape)}."
        )
        raise InputError(msg)
    if negative_count < 1 or temperature <= 0:
        msg = (
            "The contrastive loss needs at least one negative and a temperature above 0, got "
            f"{negative_count} and {temperature}."
        )
        raise InputError(msg)
