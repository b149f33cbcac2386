"""How like the structures that the end rule was fitted on a structure looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.propagation.evidence import FEATURES

NEAR = -1.4
"""Depth, in radii, of the farthest voxels that are described and fitted on."""

NEIGHBOURS = 5

KNOWN, STRANGE = 0.45, 0.6
"""Distances below which the special fit counts alone and above which the general one does. On the
validation split, 92 of 100 structures of hippocampus and 83 of ACDC lie below ``KNOWN``; of the
organs that only the general fit knows, 85 of 100 lie above ``STRANGE``."""

LEAST_DEVIATION = 0.05
"""A channel that hardly differs among the fitted structures must not decide."""


@dataclass(frozen=True)
class Familiarity:
    """Descriptions of the fitted structures.

    Attributes:
        known: ``(structures, 2 features)`` float32: `describe` of each.
    """

    known: NDArray[np.float32]

    def distance(self, description: NDArray[np.float32]) -> float:
        """Mean distance to the nearest ``NEIGHBOURS``, in deviations of a channel."""
        deviation = self.known.std(axis=0) + LEAST_DEVIATION
        away = np.sqrt((((self.known - description) / deviation) ** 2).mean(axis=1))
        return float(np.sort(away)[:NEIGHBOURS].mean())

    def strangeness(self, description: NDArray[np.float32]) -> float:
        """0 for a structure of a kind that was fitted on, 1 for one of another kind."""
        away = (self.distance(description) - KNOWN) / (STRANGE - KNOWN)
        return float(np.clip(away, 0, 1))


def describe(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(2 features,)``: mean and deviation of the evidence ``(n, features)`` near a structure."""
    near = samples[samples[:, _DEPTH] > NEAR]
    return np.concatenate([near.mean(axis=0), near.std(axis=0)]).astype(np.float32)


_DEPTH = FEATURES.index("depth")
