"""Which volumes are unlike those drawn already: k-centre in the network's pooled features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

FAR_QUANTILE = 0.75
"""A volume counts as unlike all drawn ones if it is farther from them than three of four are."""

_AT_ONCE = 256
"""Centres of one matrix product: its result stays small for ten thousand volumes."""


class Diversity:
    """Distance of each volume to the nearest chosen one, kept up to date as more are chosen.

    Greedy k-centre (Sener and Savarese, "Active learning for convolutional neural networks: a
    core-set approach", ICLR 2018): the next centre is far from all centres. Here the distance only
    weighs the scores, since the farthest volumes of a set are often broken ones.

    Args:
        features: one vector a volume, None where there is none (such volumes have distance NaN).
        centres: positions of the volumes that are drawn already.
    """

    def __init__(
        self, features: Sequence[NDArray[np.float32] | None], centres: Iterable[int] = ()
    ) -> None:
        self._points, self._known = _standardised(features)
        self.distance: NDArray[np.float64] = np.full(len(features), np.inf)
        self.distance[~self._known] = np.nan
        self._has_centres = False
        every = [centre for centre in centres if self._known[centre]]
        for first in range(0, len(every), _AT_ONCE):
            self._add(every[first : first + _AT_ONCE])

    def add(self, centre: int) -> None:
        """Takes one more chosen volume into account."""
        if self._known[centre]:
            self._add([centre])

    def _add(self, centres: list[int]) -> None:
        """By |x - c|² = |x|² - 2x·c + |c|²: one matrix product for many centres."""
        self._has_centres = True
        points, chosen = self._points, self._points[centres]
        squares = np.square(points).sum(axis=1)
        squared = squares[:, None] - 2 * points @ chosen.T + squares[centres]
        squared[centres, range(len(centres))] = 0.0  # exactly, not up to rounding
        nearest = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
        self.distance = np.where(self._known, np.minimum(self.distance, nearest), np.nan)

    def weights(self) -> NDArray[np.float64]:
        """0…1 a volume: its distance over the largest; 1 for all without centres or features."""
        if not self._has_centres:
            return np.ones(len(self.distance))
        largest = float(np.nanmax(self.distance))
        if not largest > 0:
            return np.ones(len(self.distance))
        weights = self.distance / largest
        # nothing is known of a volume without features: it counts as a usual one
        return np.asarray(np.where(np.isnan(weights), np.nanmedian(weights), weights))

    def is_unlike(self, index: int) -> bool:
        """True if no chosen volume looks like this one."""
        if not self._has_centres or np.isnan(self.distance[index]):
            return False
        others = self.distance[self.distance > 0]  # without the centres themselves
        return bool(others.size and self.distance[index] > np.quantile(others, FAR_QUANTILE))


def _standardised(
    features: Sequence[NDArray[np.float32] | None],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each number with mean 0 and deviation 1 over the volumes; vectors of the commonest length."""
    lengths = [0 if vector is None else len(vector) for vector in features]
    present = [length for length in lengths if length]
    width = max(set(present), key=present.count) if present else 0
    known = np.asarray([width > 0 and length == width for length in lengths], bool)
    points = np.zeros((len(features), width))
    if width:
        points[known] = np.stack([f for f in features if f is not None and len(f) == width])
        points[known] -= points[known].mean(axis=0)
        points[known] /= np.maximum(points[known].std(axis=0), 1e-6)
    return points, known
