"""How the drawn structure looks, against what lies around it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
Mask = NDArray[np.bool_]

BINS = 32
"""Intensity bins over 0…1; small structures hold a few dozen pixels."""

_KERNEL = np.array([0.05, 0.1, 0.2, 0.3, 0.2, 0.1, 0.05])
"""Smooths a histogram over neighbouring bins."""


def histogram_likelihood(image: Maps, drawn: int, inside: Mask, ring: Mask) -> Maps:
    """``log p(intensity | inside) − log p(intensity | ring)``, −3…3.

    Args:
        image: ``(S, h, w)``, 0…1.
        drawn: place of the drawn slice, whose pixels fill the two histograms.
        inside: ``(h, w)`` pixels of the structure.
        ring: ``(h, w)`` pixels around it.
    """
    if not inside.any() or not ring.any():
        return np.zeros_like(image)
    logs = [_log_histogram(image[drawn][mask]) for mask in (inside, ring)]
    table = np.clip(logs[0] - logs[1], -3, 3).astype(np.float32)
    place = np.clip(image * BINS - 0.5, 0, BINS - 1)
    low = place.astype(np.int32)
    share = place - low
    return (1 - share) * table[low] + share * table[np.minimum(low + 1, BINS - 1)]


def _log_histogram(values: Maps) -> NDArray[np.float64]:
    """Smoothed, and never 0: a grey value that was not seen is unlikely, not impossible."""
    places = np.clip(values * BINS, 0, BINS - 1).astype(np.int32)
    counts = np.bincount(places, minlength=BINS).astype(np.float64)
    smooth = np.convolve(np.pad(counts, 3, mode="edge"), _KERNEL, "valid")
    smooth += 0.02 * smooth.sum() / BINS + 1e-3
    return np.log(smooth / smooth.sum())


def texture_likelihood(
    image: Maps,
    drawn: int,
    inside: Mask,
    ring: Mask,
    radius: float,
    blur: Callable[[Maps, float], Maps],
) -> Maps:
    """Quadratic discriminant of intensity, two sizes of surroundings, and gradient; −6…6.

    The two Gaussians are fitted on the drawn slice; their covariances are shrunk towards the
    common one, the more the fewer pixels there are (10 pixels count as much as the prior).
    """
    if inside.sum() < 5 or ring.sum() < 5:
        return np.zeros_like(image)
    samples = np.stack(
        [
            blur(image, 0.08 * radius),
            blur(image, 0.2 * radius),
            blur(image, 0.45 * radius),
            blur(_gradient(image), 0.15 * radius),
        ],
        -1,
    )
    common = np.cov(samples[drawn][inside | ring].T)
    logs = [_log_gaussian(samples, samples[drawn][mask], common) for mask in (inside, ring)]
    return np.clip(logs[0] - logs[1], -6, 6)


def _log_gaussian(samples: Maps, of: Maps, common: NDArray[np.float64]) -> Maps:
    """Log density, up to a constant, of a Gaussian fitted to ``of`` (n, f)."""
    prior = 10.0 / (len(of) + 10.0)
    covariance = (1 - prior) * np.cov(of.T) + prior * common + 3e-4 * np.eye(of.shape[1])
    whiten = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    distance = ((samples - of.mean(axis=0)) @ whiten) ** 2
    return -0.5 * (distance.sum(axis=-1) + np.float32(np.linalg.slogdet(covariance)[1]))


def _gradient(image: Maps) -> Maps:
    """Its length in each slice."""
    out = np.empty_like(image)
    for index, each in enumerate(image):
        across = cv2.Sobel(each, cv2.CV_32F, 1, 0, ksize=3)
        along = cv2.Sobel(each, cv2.CV_32F, 0, 1, ksize=3)
        cv2.magnitude(across, along, out[index])
    return out
