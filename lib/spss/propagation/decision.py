"""From calibrated class probabilities to soft labels whose most likely class scores best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

_BINS = 200

SELDOM_BELOW = 0.2
"""Least threshold: below it a structure is a guess, and a guess over half an image is no draft."""


def class_probabilities(logits: Maps) -> Maps:
    """Joins one-against-all logits ``(C - 1, …)`` to probabilities ``(C, …)`` that sum to one.

    Each class's odds count against a background of odds one.
    """
    joined = np.empty((len(logits) + 1, *logits.shape[1:]), np.float32)
    joined[0] = 1
    np.exp(np.clip(logits, -15, 15, out=joined[1:]), out=joined[1:])
    total = joined.sum(axis=0)
    joined /= total
    return joined


def best_threshold(probability: Maps) -> float:
    """Threshold of the largest expected Dice, between ``SELDOM_BELOW`` and one half.

    For a calibrated map that is half the best expected Dice (Lipton, Elkan & Naryanaswamy, ECML
    2014, theorem 1): where a structure is uncertain everywhere, one half would lose most of it.

    Args:
        probability: calibrated, of any shape.
    """
    counts, edges = np.histogram(probability, _BINS, (0, 1))
    sums, _ = np.histogram(probability, _BINS, (0, 1), weights=probability)
    kept, hit = np.cumsum(counts[::-1])[::-1], np.cumsum(sums[::-1])[::-1]
    expected = 2 * hit / np.maximum(kept + sums.sum(), 1e-6)
    return float(np.clip(edges[int(np.argmax(expected))], SELDOM_BELOW, 0.5))
