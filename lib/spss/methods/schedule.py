"""Weights that change over a training, as functions of the share of it that is done."""

from __future__ import annotations

import math


def late_ramp(fraction: float, *, start: float, length: float) -> float:
    """exp(-5 (1 - t)²), t the position in the ramp: 0 before ``start``, 1 after it.

    The Gaussian ramp of Laine & Aila 2017, section 2; started late, because a teacher that does not
    know the task yet only teaches its errors.

    Args:
        fraction: share of the training done, 0…1.
        start: share at which the ramp starts.
        length: share over which it grows to 1.
    """
    if fraction < start:
        return 0.0
    position = min((fraction - start) / max(length, 1e-9), 1.0)
    return math.exp(-5 * (1 - position) ** 2)


def shared_batch(batch_size: int, unlabelled_share: float = 0.5) -> tuple[int, int]:
    """Labelled and unlabelled patches of a batch in which both have their share, at least one each.

    Unlabelled patches beside a whole labelled batch would make a step half as long again: within
    the same time the network takes fewer steps, and ends worse (``docs/research.md``).
    """
    unlabelled = max(1, round(unlabelled_share * batch_size))
    return max(1, batch_size - unlabelled), unlabelled
