"""Displacement fields between slices: composing them, and moving maps along them.

A field ``u`` of shape ``(H, W, 2)`` (float32, pixels; last axis is x = along W, y = along H, as
OpenCV has it) lives on the *target* slice and points to where the value is taken from:
``warped(p) = source(p + u(p))``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def identity_field(height: int, width: int) -> Field:
    """The field that moves nothing."""
    return np.zeros((height, width, 2), np.float32)


def compose(first: Field, then: Field, grid: NDArray[np.float32] | None = None) -> Field:
    """Field of going along ``first`` and from there along ``then``.

    With ``first`` on slice s+1 pointing into slice s, and ``then`` on slice s pointing into the
    drawn slice, the result lives on slice s+1 and points into the drawn slice:
    ``u(p) = first(p) + then(p + first(p))``. Labels are warped once by the result, so that forty
    steps are not forty resamplings.
    """
    return first + warp(then, first, grid)


def warp(
    source: NDArray[np.float32],
    field: Field,
    grid: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Takes ``source`` (``(H, W)`` or ``(H, W, n)``) at the places ``field`` points to.

    Linear interpolation; places outside repeat the border. A zero field is the exact identity.
    """
    if grid is None:
        grid = sampling_grid(*field.shape[:2])
    return cv2.remap(  # type: ignore[call-overload]
        source, grid + field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def sampling_grid(height: int, width: int) -> NDArray[np.float32]:
    """``(H, W, 2)`` float32, every pixel's own x and y."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
