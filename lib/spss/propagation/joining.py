"""Joins a network's opinion with what the drawn planes say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.annotation import SparseLabel
from spss.propagation.pseudo_label import PseudoLabel
from spss.types import SpacingMm

Maps = NDArray[np.float32]

TRUSTED_SLICES = 10
"""Slices over which the say of a plane through the middle of a structure falls to 0.37, and 1.5 of
the structure's radii (``TRUSTED_RADII``) where that is farther: what is carried errs by each slice
that it passes, and less where many thin slices show a structure. Chosen on the validation splits of
the benchmark's two sets (``docs/research.md``)."""

TRUSTED_RADII = 1.5

LEAST_SECTION = 0.1
"""Share of a structure's largest section that a plane counts as showing at least: also one that
misses the structure speaks for its neighbours."""

HEARD_RELIABILITY = 0.5
"""Reliability below which a propagated voxel has less than its full say."""

NEEDED_AGREEMENT = 0.6
"""Dice with what was drawn below which the network has less than its full say: it reads this volume
badly, whatever it is sure of."""


def join(
    planes: PseudoLabel, network: Maps, label: SparseLabel, spacing_mm: SpacingMm
) -> PseudoLabel:
    """Logarithmic opinion pool of planes and network, class by class against the background.

    ``log(p_c / p_0) = w_c log(p_c / p_0 of the planes) + (1 − w_c) log(p_c / p_0 of the network)``
    with ``w_c = 1 − q (1 − r e^−d_c)``: next to a plane that shows a structure well the person's
    line decides, far from it, or where no plane shows it, the network does. d_c is `remoteness`,
    r = min(1, reliability / ``HEARD_RELIABILITY``), q = min(1, Dice of the network on the annotated
    planes / ``NEEDED_AGREEMENT``).

    Args:
        planes: the propagated label.
        network: ``(C, I, J, K)`` probabilities on the same grid.
        label: what was drawn.
        spacing_mm: voxel size along each axis.
    """
    seen = np.argmax(network, axis=0).astype(np.uint8)
    heard = np.minimum(1, planes.reliability / np.float32(HEARD_RELIABILITY))
    drawn = set(np.unique(label.classes[label.annotated]).tolist())
    share = np.float32(min(1.0, agreement(label, network) / NEEDED_AGREEMENT))
    pooled = np.zeros_like(planes.probabilities)
    weight = np.zeros_like(planes.reliability)
    for index in range(1, len(pooled)):
        here = seen == index
        trust = heard * np.exp(-remoteness(label, here, index, spacing_mm))
        # a structure that was drawn and that the network sees nowhere is one it does not know
        mine = 1 - share * (1 - trust) if here.any() or index not in drawn else np.ones_like(weight)
        pooled[index] = mine * _log_odds(planes.probabilities, index)
        pooled[index] += (1 - mine) * _log_odds(network, index)
        np.maximum(weight, mine, out=weight)
    pooled -= pooled.max(axis=0)
    np.exp(pooled, out=pooled)
    pooled /= pooled.sum(axis=0)
    joined = PseudoLabel(pooled, np.empty_like(weight))
    own = np.where(planes.classes == joined.classes, planes.reliability, 1 - planes.reliability)
    joined.reliability[...] = weight * own + (1 - weight) * pooled.max(axis=0)
    return joined


def remoteness(
    label: SparseLabel, seen: NDArray[np.bool_], index: int, spacing_mm: SpacingMm
) -> Maps:
    """``(I, J, K)``: distance to the planes that show class ``index``, by how far they are trusted.

    A plane is trusted over ``TRUSTED_SLICES`` or ``TRUSTED_RADII``, whichever is farther, times the
    area drawn on it as a share of the largest section that the network sees along its axis: a plane
    that cuts a structure near its end says little of the rest.

    Args:
        label: what was drawn.
        seen: ``(I, J, K)`` where the network sees the class.
        index: of the class.
        spacing_mm: voxel size along each axis.
    """
    nearest = np.full(label.shape, np.inf, np.float32)
    for axis in {plane.axis for plane in label.planes}:
        slice_mm = spacing_mm[axis]
        others = tuple(other for other in range(3) if other != axis)
        largest = max(1, int(seen.sum(axis=others).max()))
        pixel_mm2 = float(np.prod(spacing_mm)) / slice_mm
        radius_mm = float(np.sqrt(largest * pixel_mm2 / np.pi))
        trusted_mm = max(TRUSTED_SLICES * slice_mm, TRUSTED_RADII * radius_mm)
        for plane in (plane for plane in label.planes if plane.axis == axis):
            drawn = np.count_nonzero(label.classes[plane.slices] == index)
            section = min(1.0, max(LEAST_SECTION, drawn / largest))
            steps = np.abs(np.arange(label.shape[axis]) - plane.index)
            mine = (steps * slice_mm / (trusted_mm * section)).astype(np.float32)
            np.minimum(nearest, np.moveaxis(mine[:, None, None], 0, axis), out=nearest)
    return nearest


def agreement(label: SparseLabel, network: Maps) -> float:
    """Mean Dice of the network with what was drawn, over the drawn classes; 0 if none was.

    Args:
        label: what was drawn.
        network: ``(C, I, J, K)`` probabilities on the same grid.
    """
    drawn, found = label.classes[label.annotated], network[:, label.annotated].argmax(axis=0)
    scores = []
    for index in np.unique(drawn[drawn > 0]):
        mine, theirs = drawn == index, found == index
        scores.append(2 * int((mine & theirs).sum()) / int(mine.sum() + theirs.sum()))
    return float(np.mean(scores)) if scores else 0.0


def _log_odds(probabilities: Maps, index: int) -> Maps:
    """Of a class against the background, bounded."""
    return np.log(np.maximum(probabilities[index], 1e-3)) - np.log(
        np.maximum(probabilities[0], 1e-3)
    )
