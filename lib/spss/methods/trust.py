"""How far a propagated label is trusted, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spss.methods.batch import Batch
from spss.refinement import beyond_reach, distance_weights

FOREGROUND = 0.3
"""Propagated probability of any structure from which a voxel counts as reached by it."""


@dataclass(frozen=True)
class TrustConfig:
    """Constants of `propagation_trust`."""

    reliability_power: float = field(
        default=1.0, metadata={"help": "trust in a propagated voxel = reliability^power x decay^d"}
    )
    decay_start: float = field(
        default=0.8, metadata={"help": "trust one slice from a plane, at the start; PLN: 0.8"}
    )
    decay_end: float = field(
        default=0.8,
        metadata={"help": "the same at the end; below the start: dense to sparse, as DeSCO"},
    )
    far_trust: float = field(
        default=0.5,
        metadata={"help": "least trust in background beyond the structure's reach; 0 = none"},
    )
    reach: float = field(
        default=1.0, metadata={"help": "reach of a structure beyond itself, in its own radii"}
    )
    truth_share: float = field(
        default=0.5, metadata={"help": "share of a patch's trust that its annotated voxels get"}
    )
    truth_weight: float = field(
        default=8.0, metadata={"help": "largest weight of an annotated voxel; propagated ones ≤ 1"}
    )


def propagation_trust(batch: Batch, fraction: float, config: TrustConfig) -> Tensor:
    """Trust w = reliability^p · max(a(t)^d, far), w_T where annotated.

    Far slices err more, and all in one direction. What they say about where the structure is *not*
    stays: far = ``far_trust`` on background beyond the structure's reach, else 0. Annotated planes
    lie inside the organ, so nothing else teaches that it ends.

    a(t) moves linearly from ``decay_start`` to ``decay_end``. Falling to 0.4, it forgets far slices
    before their errors are memorised: nothing gained on the hippocampus (five seeds), and 0.07 lost
    on ACDC (one; ``docs/research.md``). So it does not fall.

    w_T gives what was drawn in a patch ``truth_share`` s of its trust, whether one slice of nine
    was drawn or one of forty: w_T = s/(1 - s) · sum of propagated w / annotated voxels, in
    1…``truth_weight``. One factor for both drowned good propagated labels where slices are thick
    (``docs/research.md``).

    Args:
        batch: with propagated labels.
        fraction: share of the training done.
        config: see `TrustConfig`.

    Returns:
        ``(B, X, Y, Z)`` float32.
    """
    base = config.decay_start + (config.decay_end - config.decay_start) * fraction
    decayed = distance_weights(batch.distance, base=base)
    if config.far_trust > 0:
        propagated = (1 - batch.pseudo_label[:, 0] > FOREGROUND) & (batch.reliability > 0)
        beyond = beyond_reach(propagated, batch.spacing_mm, radii=config.reach)
        decayed = torch.maximum(decayed, config.far_trust * beyond)
    trust = batch.reliability.pow(config.reliability_power) * (batch.reliability > 0) * decayed
    return torch.where(batch.annotated, _truth_weight(trust, batch.annotated, config), trust)


def _truth_weight(trust: Tensor, annotated: Tensor, config: TrustConfig) -> Tensor:
    """``(B, 1, 1, 1)``: w_T of each patch; 1 where nothing was propagated."""
    drawn = annotated.flatten(1).sum(dim=1)
    propagated = trust.masked_fill(annotated, 0.0).flatten(1).sum(dim=1)
    odds = config.truth_share / max(1 - config.truth_share, 1e-6)
    weight = odds * propagated / drawn.clamp_min(1)
    return weight.clamp(1.0, config.truth_weight).reshape(-1, 1, 1, 1)
