"""Weight of a sample from its loss and the age: the two classic self-paced regularisers."""

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


def _check_age(age: float) -> None:
    if not age > 0:
        msg = f"The age of self-paced weights must be above 0, got {age}."
        raise InputError(msg)
