"""Small operations on stacks of maps ``(S, h, w)``."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]


def blur(maps: Maps, sigma: float) -> Maps:
    """Gaussian in plane of each slice of ``(S, h, w)``; sigma in pixels."""
    if sigma < 0.3:
        return maps
    out = np.empty_like(maps)
    for index, each in enumerate(maps):
        cv2.GaussianBlur(each, (0, 0), sigma, dst=out[index], borderType=cv2.BORDER_REPLICATE)
    return out


def outward(values: Maps, index: int, accumulate: Callable[..., Maps]) -> Maps:
    """Accumulates along the first axis, away from ``index`` to both sides."""
    out = np.empty_like(values)
    out[index:] = accumulate(values[index:], axis=0)
    out[: index + 1] = accumulate(values[index::-1], axis=0)[::-1]
    return out


def depth_of(mask: NDArray[np.bool_], bound: float) -> Maps:
    """``(h, w)`` pixels inside (positive) or outside the mask, cut at ``±bound``."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, bound if mask.all() else -bound, np.float32)
    flat = mask.astype(np.uint8)
    inside = cv2.distanceTransform(flat, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - flat, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.clip(np.where(mask, inside - 0.5, 0.5 - outside), -bound, bound).astype(np.float32)


def running_mean(values: Maps, axis: int = 0) -> Maps:
    """Mean of all values up to each place along ``axis``."""
    count = np.arange(1, len(values) + 1, dtype=np.float32)
    total = np.cumsum(values, axis=axis, dtype=np.float32)
    return total / count.reshape(-1, *([1] * (values.ndim - 1)))


def across(values: Maps) -> Maps:
    """Blurs over neighbouring slices (1-2-1)."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def mean_under(maps: Maps, weight: Maps) -> Maps:
    """``(S,)`` mean of each slice's map under a weight map."""
    return (maps * weight).sum(axis=(1, 2)) / (weight.sum(axis=(1, 2)) + 1e-3)
