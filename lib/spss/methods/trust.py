"""How far a propagated label is trusted, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spss.methods.batch import Batch
from spss.refinement import beyond_reach, distance_weights
from spss.selfpaced import agreement_weights

FOREGROUND = 0.3
"""Propagated probability of any structure from which a voxel counts as reached by it."""


@dataclass(frozen=True)
class TrustConfig:
    """Constants of `propagation_trust` and `self_paced_trust`."""

    reliability_power: float = field(
        default=1.0, metadata={"help": "trust in a propagated voxel = reliability^power x decay^d"}
    )
    decay: float = field(
        default=0.8, metadata={"help": "trust one slice from a plane; PLN: 0.8. 1 = no decay"}
    )
    learned_passes: float = field(
        default=80.0,
        metadata={"help": "passes over the labelled volumes that teach all they can (age 1)"},
    )
    learned_steps: int = field(
        default=800, metadata={"help": "steps that age 1 takes at least; few volumes need them"}
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
    agreement_power: float = field(
        default=2.0,
        metadata={"help": "what the teacher's word counts against a propagated voxel; 0: nothing"},
    )
    agreement_slowdown: float = field(
        default=0.7,
        metadata={"help": "slowdown of learning from which it counts, see `Slowdown`; 0: always"},
    )


def propagation_trust(batch: Batch, age: float, config: TrustConfig) -> Tensor:
    """Trust w = reliability^p · max(decay^(d · max(1, age)), far), w_T where annotated.

    Far slices err more, and all in one direction. What they say about where the structure is *not*
    stays: far = ``far_trust`` on background beyond the structure's reach, else 0. Annotated planes
    lie inside the organ, so nothing else teaches that it ends.

    Older than 1 (see `propagation_age`), trust in what is d slices away falls by the same factor
    with each pass over the volumes. What a network ever sees of a far slice is then bounded, and
    its errors are not learned by heart however long the training (``docs/research.md``).

    w_T gives what was drawn in a patch ``truth_share`` s of its trust, whether one slice of nine
    was drawn or one of forty: w_T = s/(1 - s) · sum of propagated w / annotated voxels, in
    1…``truth_weight``. One factor for both drowned good propagated labels where slices are thick
    (``docs/research.md``).

    Args:
        batch: with propagated labels.
        age: of the propagated labels.
        config: see `TrustConfig`.

    Returns:
        ``(B, X, Y, Z)`` float32.
    """
    decayed = distance_weights(batch.distance, base=config.decay ** max(1.0, age))
    if config.far_trust > 0:
        propagated = (1 - batch.pseudo_label[:, 0] > FOREGROUND) & (batch.reliability > 0)
        beyond = beyond_reach(propagated, batch.spacing_mm, radii=config.reach)
        decayed = torch.maximum(decayed, config.far_trust * beyond)
    trust = batch.reliability.pow(config.reliability_power) * (batch.reliability > 0) * decayed
    return torch.where(batch.annotated, _truth_weight(trust, batch.annotated, config), trust)


def self_paced_trust(
    trust: Tensor, probabilities: Tensor, batch: Batch, config: TrustConfig
) -> Tensor:
    """Trust in propagated voxels, less where the network contradicts them (`agreement_weights`).

    Networks learn what labels have in common before they learn their errors (Arpit et al., ICML
    2017), so what a network that has learned the former does not believe is more often wrong. What
    was drawn keeps its trust.

    Args:
        trust: ``(B, X, Y, Z)`` of `propagation_trust`.
        probabilities: ``(B, C, X, Y, Z)`` of the network on the batch.
        batch: with propagated labels.
        config: see `TrustConfig`.

    Returns:
        ``(B, X, Y, Z)`` float32, nowhere above ``trust``.
    """
    weights = agreement_weights(
        probabilities, batch.pseudo_label, trust, power=config.agreement_power
    )
    return torch.where(batch.annotated, trust, trust * weights)


def propagation_age(passes: float, iteration: int, config: TrustConfig) -> float:
    """How much of what propagated labels can teach has been learned; 1 = all of it.

    Passes over the labelled volumes in units of ``learned_passes``: with many volumes a training
    may never get there. With few, steps count: ``iteration`` in units of ``learned_steps``. Either
    unit is 1 at least.
    """
    return min(passes / max(config.learned_passes, 1), iteration / max(config.learned_steps, 1))


def _truth_weight(trust: Tensor, annotated: Tensor, config: TrustConfig) -> Tensor:
    """``(B, 1, 1, 1)``: w_T of each patch; 1 where nothing was propagated."""
    drawn = annotated.flatten(1).sum(dim=1)
    propagated = trust.masked_fill(annotated, 0.0).flatten(1).sum(dim=1)
    odds = config.truth_share / max(1 - config.truth_share, 1e-6)
    weight = odds * propagated / drawn.clamp_min(1)
    return weight.clamp(1.0, config.truth_weight).reshape(-1, 1, 1, 1)
