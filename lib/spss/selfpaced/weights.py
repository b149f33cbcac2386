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
    probabilities: Tensor, label: Tensor, *, enough: float = 0.8, power: float = 2.0
) -> Tensor:
    """Gives w = min(1, a / a₀)^γ, a = Σ_c p_c t_c / Σ_c t_c²: less where p contradicts t.

    a is the probability of a hard label t, and 1 where p says what a soft one says. In terms of the
    loss L = -ln a, w = exp(-γ max(0, L - λ)) with the age λ = -ln a₀: what is easy counts whole;
    the rest fades without being cut off, unlike `linear_weights`.

    Args:
        probabilities: ``(B, C, *spatial)``, the network's; never gets a gradient.
        label: same shape, sums to one over C where it counts.
        enough: a₀ in 0…1, the agreement from which a label counts whole.
        power: γ; 0 trusts everything.

    Returns:
        ``(B, *spatial)`` in 0…1.
    """
    if not 0 < enough <= 1 or power < 0:
        msg = f"Agreement needs 0 < enough ≤ 1 and power ≥ 0, got {enough} and {power}."
        raise InputError(msg)
    agreement = (probabilities.detach() * label).sum(1) / label.square().sum(1).clamp_min(_EPSILON)
    return (agreement / enough).clamp(0, 1).pow(power)


_EPSILON = 1e-3
"""Against a division by zero where a label is absent."""


def _check_age(age: float) -> None:
    if not age > 0:
        msg = f"The age of self-paced weights must be above 0, got {age}."
        raise InputError(msg)
