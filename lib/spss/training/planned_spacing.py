"""The spacing all volumes are resampled to: nnU-Net's rule, and coarser where it must be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.training.fingerprint import Fingerprint
from spss.training.resample import is_out_of_proportion

ANISOTROPY = 3.0
"""A voxel this many times longer along one axis makes the set anisotropic (nnU-Net's threshold)."""

CPU_PATCH_VOXELS = 140_000
"""Of the median volume: a step with two of them takes 0.5 s of a core (`spss`, ACDC)."""

CPU_COARSER = 2.0
"""The most a spacing is enlarged for a CPU's sake. Coarser still, thin structures are lost; larger
volumes are then trained in patches."""


def plan_spacing(spacings_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median, but finer along an axis that is much coarser than the others; nnU-Net's rule."""
    target = np.median(spacings_mm, axis=0)
    worst = int(np.argmax(target))
    if target[worst] > ANISOTROPY * np.delete(target, worst).max():
        target[worst] = max(
            float(np.percentile(spacings_mm[:, worst], 10)), float(np.delete(target, worst).max())
        )
    return target


def low_resolution_axis(spacing: NDArray[np.float64]) -> int | None:
    """The axis whose voxels are much longer than the finest; None if there is none."""
    worst = int(np.argmax(spacing))
    return worst if spacing[worst] > ANISOTROPY * spacing.min() else None


def coarser_factors(
    fingerprint: Fingerprint,
    spacing: NDArray[np.float64],
    median_voxels: float,
    most_voxels: float,
) -> dict[str, float]:
    """By how much the spacing must be enlarged, along all axes but a low-resolution one.

    Args:
        fingerprint: of the data set.
        spacing: planned so far.
        median_voxels: of the median volume at that spacing.
        most_voxels: that the memory holds.

    Returns:
        ``memory``, so that the largest volume fits; ``time``, so that a CPU gets enough steps done.
        1.0 is no change.
    """
    axes = 3 if low_resolution_axis(spacing) is None else 2
    largest = _largest_volume(fingerprint, spacing)
    time = (median_voxels / CPU_PATCH_VOXELS) ** (1 / axes)
    return {
        "memory": max(1.0, float((largest / most_voxels) ** (1 / axes))),
        "time": float(np.clip(time, 1.0, CPU_COARSER)),
    }


def _largest_volume(fingerprint: Fingerprint, spacing: NDArray[np.float64]) -> float:
    """Voxels at that spacing, of those volumes that the preparation does not leave out."""
    own = np.prod(fingerprint.shapes, axis=1, dtype=float)
    planned = np.prod(fingerprint.shapes * fingerprint.spacings_mm / spacing, axis=1)
    kept = [
        voxels
        for voxels, before in zip(planned.tolist(), own.tolist(), strict=True)
        if not is_out_of_proportion(voxels, before)
    ]
    return max(kept, default=0.0)
