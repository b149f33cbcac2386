"""A volume seen as a stack of slices along one axis, as every propagator takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.annotation import SparseLabel
from spss.types import ImageArray, SpacingMm

ROBUST_PERCENTILES = (1.0, 99.0)
"""Intensities below and above are clipped: one metal artefact must not flatten the rest."""


@dataclass(frozen=True)
class Stack:
    """Slices along one axis.

    Attributes:
        slices: ``(S, H, W)`` float32, intensities scaled to 0…1 by robust percentiles.
        thickness_mm: distance between neighbouring slices.
        pixel_mm: in-plane spacing along H and W.
    """

    slices: NDArray[np.float32]
    thickness_mm: float
    pixel_mm: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(S, H, W)``."""
        return self.slices.shape  # type: ignore[return-value]


@dataclass(frozen=True)
class DrawnSlice:
    """One annotated slice of a stack.

    Attributes:
        index: position in the stack.
        one_hot: ``(C, H, W)`` float32.
        first: first slice this one may speak for (the neighbouring annotated slice, or the end).
        last: last slice this one may speak for, inclusive.
    """

    index: int
    one_hot: NDArray[np.float32]
    first: int
    last: int


@dataclass(frozen=True)
class Carried:
    """What a propagator says about a stack, starting from one drawn slice.

    Attributes:
        probabilities: ``(C, S, H, W)`` float32; sums to one over C for ``first``…``last``.
        warped: ``(S, H, W)`` float32, the drawn slice's image moved onto every slice: where it
            differs from the slice itself, the propagation lost its way.
        residual: ``(S, H, W)`` float32 ≥ 0, their absolute difference.
    """

    probabilities: NDArray[np.float32]
    warped: NDArray[np.float32]
    residual: NDArray[np.float32]


def make_stack(image: ImageArray, axis: int, spacing_mm: SpacingMm) -> Stack:
    """Views ``image`` as slices along ``axis`` and scales intensities to 0…1.

    A constant image becomes all zeros; values that are not finite count as the lowest.
    """
    pixel_mm = tuple(spacing_mm[other] for other in range(3) if other != axis)
    return Stack(
        slices=np.moveaxis(scale_intensities(image), axis, 0),
        thickness_mm=float(spacing_mm[axis]),
        pixel_mm=(float(pixel_mm[0]), float(pixel_mm[1])),
    )


def scale_intensities(image: ImageArray) -> NDArray[np.float32]:
    """Scales to 0…1 between the 1st and 99th percentile."""
    image = np.nan_to_num(np.asarray(image, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    step = max(1, image.size // 2_000_000)
    low, high = np.percentile(image.reshape(-1)[::step], ROBUST_PERCENTILES)
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if high <= low:
        return np.zeros_like(image)
    return np.clip((image - np.float32(low)) / np.float32(high - low), 0.0, 1.0)


def structure_radius_mm(label: SparseLabel, spacing_mm: SpacingMm) -> float:
    """Equivalent radius of the largest drawn foreground, over all annotated planes."""
    largest = 0.0
    for plane in label.planes:
        pixel_mm2 = np.prod([spacing_mm[axis] for axis in range(3) if axis != plane.axis])
        largest = max(largest, float((label.classes[plane.slices] > 0).sum() * pixel_mm2))
    return float(np.sqrt(largest / np.pi))
