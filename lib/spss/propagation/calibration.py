"""Reliability corrected by the user's own annotated planes, when there are enough of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.propagation.pseudo_label import PseudoLabel

ENOUGH_PLANES = 5
"""Parallel planes from which each inner one can be predicted by its neighbours."""

MOST_HELD_OUT = 3
"""Planes left out in turn; each costs one more propagation."""

_PRIOR = 1.0
"""Strength that pulls the correction to none, in held-out planes: three planes are few."""


def calibrate(
    result: PseudoLabel, label: SparseLabel, carry: Callable[[SparseLabel], PseudoLabel]
) -> PseudoLabel:
    """Leaves annotated planes out in turn and learns how right the reliability was.

    The correction is a shift of the reliability's logit (Platt scaling with slope one): mean
    reliability on the left-out planes becomes their share of right voxels, shrunk towards no
    correction. Leaving a plane out doubles the gap, so it can only be pessimistic.

    Args:
        result: from all planes; its reliability is replaced.
        label: all planes.
        carry: propagates a label that lacks a plane.
    """
    held_out = _held_out(label)
    if not held_out:
        return result
    shifts = [_shift(plane, label, carry) for plane in held_out]
    shift = sum(shifts) / (len(shifts) + _PRIOR)
    np.clip(_expit(_logit(result.reliability) + np.float32(shift)), 0, 1, out=result.reliability)
    return result


def _held_out(label: SparseLabel) -> list[Plane]:
    """Inner planes with something drawn, evenly chosen, of the axis that has most planes."""
    by_axis = [[plane for plane in label.planes if plane.axis == axis] for axis in range(3)]
    most = max(by_axis, key=len)
    if len(most) < ENOUGH_PLANES:
        return []
    inner = [plane for plane in most[1:-1] if label.classes[plane.slices].any()]
    if not inner:
        return []
    chosen = np.unique(np.linspace(0, len(inner) - 1, MOST_HELD_OUT).round().astype(int))
    return [inner[place] for place in chosen]


def _shift(plane: Plane, label: SparseLabel, carry: Callable[[SparseLabel], PseudoLabel]) -> float:
    """Logit by which reliability on ``plane`` was too low, when the others predict it."""
    others = tuple(each for each in label.planes if each != plane)
    guess = carry(SparseLabel.from_planes(label.classes, others))
    here = plane.slices
    asked = (guess.classes[here] > 0) | (label.classes[here] > 0)
    right = (guess.classes[here] == label.classes[here])[asked]
    claimed = guess.reliability[here][asked]
    if not right.size:
        return 0.0
    return float(np.clip(_solve(_logit(claimed), float(right.mean())), -2, 2))


def _solve(logits: NDArray[np.float32], share: float) -> float:
    """Shift after which the mean probability equals ``share``, by bisection."""
    low, high = -6.0, 6.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _expit(logits + middle).mean() < share else (low, middle)
    return (low + high) / 2


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    bounded = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.log(bounded / (1 - bounded))


def _expit(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return 1 / (1 + np.exp(-logits))
