"""Joins a network's opinion with what the drawn planes say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.annotation import SparseLabel
from spss.propagation.pseudo_label import PseudoLabel
from spss.propagation.stack import structure_radius_mm
from spss.types import SpacingMm

Maps = NDArray[np.float32]

TRUSTED_SLICES = 5
"""Slices over which the say of an annotated plane falls to 0.37, and half a radius of the drawn
structure (``TRUSTED_RADII``) where that is farther: what is carried errs by each slice that it
passes, and less in a structure that many thin slices show. Chosen on the validation splits of the
benchmark's two sets (``docs/research.md``)."""

TRUSTED_RADII = 0.5

HEARD_RELIABILITY = 0.5
"""Reliability below which a propagated voxel has less than its full say."""

NEEDED_AGREEMENT = 0.6
"""Dice with what was drawn below which the network has less than its full say: it reads this volume
badly, whatever it is sure of."""


def join(
    planes: PseudoLabel, network: Maps, label: SparseLabel, spacing_mm: SpacingMm
) -> PseudoLabel:
    """Logarithmic opinion pool of planes and network.

    ``log p ∝ w log p_planes + (1 − w) log p_network`` with ``w = 1 − q (1 − r e^−d)``: next to a
    drawn plane the person's line decides, far from it the network does. d is `remoteness_of`,
    r = min(1, reliability / ``HEARD_RELIABILITY``), q = min(1, Dice of the network on the annotated
    planes / ``NEEDED_AGREEMENT``).

    Args:
        planes: the propagated label.
        network: ``(C, I, J, K)`` probabilities on the same grid.
        label: what was drawn.
        spacing_mm: voxel size along each axis.
    """
    heard = np.minimum(1, planes.reliability / np.float32(HEARD_RELIABILITY))
    share = np.float32(min(1.0, agreement(label, network) / NEEDED_AGREEMENT))
    weight = 1 - share * (1 - heard * np.exp(-remoteness_of(label, spacing_mm)))
    pooled = np.empty_like(planes.probabilities)
    for index in range(len(pooled)):
        here = np.log(np.maximum(planes.probabilities[index], 1e-3))
        there = np.log(np.maximum(network[index], 1e-3))
        pooled[index] = np.exp(weight * here + (1 - weight) * there)
    pooled /= pooled.sum(axis=0)
    agreed = np.argmax(planes.probabilities, axis=0) == np.argmax(pooled, axis=0)
    own = np.where(agreed, planes.reliability, 1 - planes.reliability)
    reliability = weight * own + (1 - weight) * pooled.max(axis=0)
    return PseudoLabel(pooled, reliability.astype(np.float32))


def remoteness_of(label: SparseLabel, spacing_mm: SpacingMm) -> Maps:
    """``(I, J, K)`` distance to the annotated planes, in the distances over which they are trusted.

    A plane is trusted over ``TRUSTED_SLICES`` or over ``TRUSTED_RADII`` of the drawn structure,
    whichever is farther; with planes of several axes the one counts that has most to say.
    """
    radii_mm = TRUSTED_RADII * structure_radius_mm(label, spacing_mm)
    nearest = np.full(label.shape, np.inf, np.float32)
    for axis, slice_mm in enumerate(spacing_mm):
        indices = np.array([plane.index for plane in label.planes if plane.axis == axis], int)
        if not indices.size:
            continue
        steps = np.abs(np.arange(label.shape[axis])[:, None] - indices).min(axis=1)
        remote = steps * (slice_mm / max(TRUSTED_SLICES * slice_mm, radii_mm))
        along = np.moveaxis(remote.astype(np.float32)[:, None, None], 0, axis)
        np.minimum(nearest, along, out=nearest)
    return nearest


def agreement(label: SparseLabel, network: Maps) -> float:
    """Mean Dice of the network with what was drawn, over the drawn classes; 0 if none was."""
    drawn = label.classes[label.annotated]
    found = np.argmax(network[:, label.annotated], axis=0)
    scores = []
    for index in np.unique(drawn[drawn > 0]):
        mine, theirs = drawn == index, found == index
        scores.append(2 * int((mine & theirs).sum()) / int(mine.sum() + theirs.sum()))
    return float(np.mean(scores)) if scores else 0.0
