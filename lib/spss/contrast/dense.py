"""The bidirectional contrastive loss as published: dense, N x N; kept to compare cost and value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dense_bidirectional_contrast(
    first: Tensor,
    second: Tensor,
    pool: Tensor,
    *,
    anchor_classes: Tensor,
    pool_probabilities: Tensor,
    negative_count: int = 50,
    temperature: float = 0.07,
) -> Tensor:
    """`bidirectional_contrast` in the form RCPS and SPSS write it.

    Each anchor scores *every* pool voxel by its confidence (an N x N matrix, 0 for voxels of the
    anchor's class), takes the K best and gathers their embeddings (N x K x E). Where fewer than K
    voxels of other classes exist, zeros tie and same-class voxels become negatives, as published.
    Arguments as for `bidirectional_contrast`; views and pool must have equally many voxels.
    """
    f1, f2, g = (
        F.normalize(e.float().flatten(2).transpose(1, 2).reshape(-1, e.shape[1]), dim=1)
        for e in (first, second, pool)
    )
    confidence, pool_classes = pool_probabilities.detach().float().max(1)
    differs = anchor_classes.reshape(-1)[:, None] != pool_classes.reshape(-1)[None]
    scores = differs.float() * confidence.reshape(-1)[None]
    negatives = g[scores.topk(negative_count, dim=1).indices]  # (N, K, E)
    match = ((f1 * f2).sum(1) / temperature).exp()
    total = torch.zeros((), device=f1.device)
    for embedding in (f1, f2):
        others = (torch.einsum("ne,nke->nk", embedding, negatives) / temperature).exp().sum(1)
        total = total - (match / (match + others)).log().mean()
    return total
