"""How far the prediction of a plane is to be trusted, as self-paced training would see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.types import ClassMap, Mask, ScalarMap

TRUSTED_SHARE = 0.8
"""Share of each predicted class that self-paced selection keeps here (its rate r, METHODS of SPSS);
the rest, the most uncertain voxels of every class, is what training refuses and asking is for."""

_LOG2 = float(np.log(2.0))


def untrusted_share(
    classes: ClassMap, entropy: ScalarMap, band: Mask, *, class_count: int
) -> list[NDArray[np.float32]]:
    """By axis and plane, the share of ``band`` that self-paced selection leaves out.

    Class by class, as `spss.selfpaced.selection.select_class_wise`: a voxel is trusted if it is
    among the ``TRUSTED_SHARE`` least uncertain of its predicted class. Voxels outside the band are
    neither counted nor ranked, since background far away is always certain.

    Args:
        classes: ``(I, J, K)`` uint8, the prediction.
        entropy: ``(I, J, K)`` float32 in 0…1.
        band: ``(I, J, K)`` foreground and its surroundings.
        class_count: classes including background.
    """
    untrusted = np.zeros(classes.shape, bool)
    for value in range(class_count):
        members = band & (classes == value)
        if members.any():
            limit = np.quantile(entropy[members], TRUSTED_SHARE)
            untrusted |= members & (entropy > limit)
    return [_share(untrusted, band, axis) for axis in range(3)]


def expected_error(
    foreground: Mask, entropy: ScalarMap, band: Mask, *, class_count: int
) -> list[NDArray[np.float32]]:
    """By axis and plane, 1 - Dice of the foreground as the entropy foretells it.

    A voxel of normalised entropy h is wrong with a probability of about q(h), the smaller solution
    of H2(q) = h·ln C (two classes compete at a border). With E = Σ q over the band and F = Σ (1-q)
    over the predicted foreground, the expected Dice is 2F / (2F + E): F counts as true positive and
    every wrong voxel once as false positive or false negative. Where a plane of the band has no
    foreground that quotient is 1 however sure the network is, hence the factor 1 - exp(-E), the
    probability of any wrong voxel if they are rare and independent.

    Args:
        foreground: ``(I, J, K)`` where it is predicted.
        entropy: ``(I, J, K)`` float32 in 0…1, divided by ln C.
        band: ``(I, J, K)`` foreground and its surroundings.
        class_count: C, classes including background.

    Returns:
        Three float32 arrays; 0 on planes without band.
    """
    nats = entropy * np.log(max(class_count, 2))
    wrong = np.where(band, _error_of_entropy(np.minimum(nats, _LOG2)), 0.0)
    right = np.where(foreground, 1.0 - wrong, 0.0)
    errors = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        lost, kept = wrong.sum(axis=others), right.sum(axis=others)
        error = lost / np.maximum(2 * kept + lost, 1e-9) * -np.expm1(-lost)
        errors.append(error.astype(np.float32))
    return errors


def _error_of_entropy(nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """The q ≤ ½ with -q ln q - (1-q) ln(1-q) = ``nats``, by a table that is exact to 1e-4."""
    q = np.linspace(0.0, 1.0, 4097) ** 2 / 2  # fine near 0, where the entropy is steep
    inner = q[1:]
    table = np.concatenate([[0.0], -(inner * np.log(inner) + (1 - inner) * np.log1p(-inner))])
    return np.asarray(np.interp(nats, table, q))


def _share(part: Mask, whole: Mask, axis: int) -> NDArray[np.float32]:
    others = tuple(other for other in range(3) if other != axis)
    count = whole.sum(axis=others)
    return (part.sum(axis=others) / np.maximum(count, 1)).astype(np.float32)
