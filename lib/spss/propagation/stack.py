"""A volume seen as a stack of slices along one axis, as every propagator takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.types import ImageArray, SpacingMm

ROBUST_PERCENTILES = (1.0, 99.0)
"""Intensities below and above are clipped: one metal artefact must not flatten the rest."""


@dataclass(frozen=True)
class Stack:
    """Slices along one axis.

    Attributes:
        slices: ``(S, H, W)`` float32; propagators expect intensities scaled to 0…1.
        thickness_mm: distance between neighbouring slices.
        pixel_mm: in-plane spacing along H and W.
        bounds: intensities that will become 0 and 1, from the whole volume; None once scaled.
    """

    slices: NDArray[np.float32]
    thickness_mm: float
    pixel_mm: tuple[float, float]
    bounds: tuple[float, float] | None = None

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
        goes_on_before: classes that reach from here to the annotated slice before it.
        goes_on_after: classes that reach to the annotated slice after it.
    """

    index: int
    one_hot: NDArray[np.float32]
    first: int
    last: int
    goes_on_before: frozenset[int] = frozenset()
    goes_on_after: frozenset[int] = frozenset()

    def goes_on(self, span: slice) -> NDArray[np.bool_]:
        """``(C - 1, n)``: where in slices ``span`` a class reaches to the next drawn slice.

        There it has no end to look for.
        """
        before = np.arange(span.start, span.stop) < self.index
        sides = (self.goes_on_before, self.goes_on_after)
        there = [[index in side for side in sides] for index in range(1, len(self.one_hot))]
        return np.array([np.where(before, *each) for each in there], bool).reshape(-1, len(before))


@dataclass(frozen=True)
class Carried:
    """What a propagator says about a stack, starting from one drawn slice.

    Attributes:
        probabilities: ``(C, S, H, W)`` float32; sums to one over C for ``first``…``last``.
        warped: ``(S, H, W)`` float32, the drawn slice's image moved onto every slice: where it
            differs from the slice itself, the propagation lost its way.
    """

    probabilities: NDArray[np.float32]
    warped: NDArray[np.float32]

    def residual(self, stack: Stack) -> NDArray[np.float32]:
        """``(S, H, W)`` float32 ≥ 0, absolute difference of warped and actual slices."""
        return np.abs(self.warped - stack.slices)


def make_stack(image: ImageArray, axis: int, spacing_mm: SpacingMm) -> Stack:
    """Views ``image`` as slices along ``axis``, its intensities as they are."""
    pixel_mm = tuple(spacing_mm[other] for other in range(3) if other != axis)
    return Stack(
        slices=np.moveaxis(image, axis, 0),
        thickness_mm=float(spacing_mm[axis]),
        pixel_mm=(float(pixel_mm[0]), float(pixel_mm[1])),
        bounds=robust_bounds(image),
    )


def robust_bounds(values: NDArray[np.float32]) -> tuple[float, float]:
    """1st and 99th percentile of the finite values, from at most two million of them."""
    step = max(1, values.size // 2_000_000)
    sample = values.reshape(-1)[::step] if values.flags.c_contiguous else values.flat[::step]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 0.0
    low, high = np.percentile(sample, ROBUST_PERCENTILES)
    if high <= low:
        low, high = sample.min(), sample.max()
    return float(low), float(high)


def scale_intensities(
    values: NDArray[np.float32], bounds: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Scales to 0…1 between robust bounds; a constant image becomes all zeros.

    Values that are not finite count as the lowest.
    """
    low, high = robust_bounds(values) if bounds is None else bounds
    if high <= low:
        return np.zeros(values.shape, np.float32)
    out = np.array(values, np.float32, order="C")
    out -= np.float32(low)
    out *= np.float32(1 / (high - low))
    np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(out, 0.0, 1.0, out=out)
