"""Weight of a sample from how well the network explains it, easy ones first."""

from __future__ import annotations

import torch
from torch import Tensor

from spss.errors import InputError


def hard_weights(loss: Tensor, age: float) -> Tensor:
    """Gives w = 1 where L ≤ λ, else 0; the shape and dtype of ``loss``, without gradient.

    Closed form of the regulariser -λ Σ w (Kumar et al., "Self-paced learning for latent variable
    models", NeurIPS 2010).
    """
    _check_age(age)
    return (loss.detach() <= age).to(loss.dtype)


def linear_weights(loss: Tensor, age: float) -> Tensor:
    """Gives w = max(0, 1 - L/λ); the shape and dtype of ``loss``, without gradient.

    Closed form of the regulariser λ Σ (w²/2 - w) (Jiang et al., "Easy samples first", ACM MM 2014);
    the soft weight of Peng et al., "Self-paced contrastive learning with meta-labels", NeurIPS
    2021.
    """
    _check_age(age)
    return torch.clamp(1.0 - loss.detach() / age, 0.0, 1.0)


def agreement_weights(
    probabilities: Tensor, label: Tensor, trust: Tensor, *, power: float = 2.0
) -> Tensor:
    """Gives w = min(1, r' / r): how much of a trust r in a label is left where p contradicts it.

    Bayes' rule for "the label is right", of which r was thought beforehand and a = Σ_c p_c t_c is
    what the network says:

        r' = r a^γ / (r a^γ + (1 - r) (1 - a)^γ).

    What the network finds as likely as not, or likelier, keeps its trust: w ≤ 1, or the network
    would teach itself. A trusted label withstands what a doubtful one does not.

    Args:
        probabilities: ``(B, C, *spatial)``, the network's; never gets a gradient.
        label: same shape, sums to one over C where it counts.
        trust: ``(B, *spatial)``, r; above 1 it counts as 1, and w is 1.
        power: γ, how much the network's word counts; 0 not at all.

    Returns:
        ``(B, *spatial)`` in 0…1.
    """
    if power < 0:
        msg = f"The power of an agreement must be 0 or more, got {power}."
        raise InputError(msg)
    agreement = (probabilities.detach() * label).sum(1) / label.sum(1).clamp_min(_LEAST)
    agreement = agreement.clamp(_LEAST, 1 - _LEAST)
    prior = trust.clamp(0, 1)
    right, wrong = agreement.pow(power), (1 - agreement).pow(power)
    return (right / (prior * right + (1 - prior) * wrong)).clamp_max(1)


_LEAST = 1e-4
"""No network is surer than this that a label is right or wrong."""


def _check_age(age: float) -> None:
    if not age > 0:
        msg = f"The age of self-paced weights must be above 0, got {age}."
        raise InputError(msg)
