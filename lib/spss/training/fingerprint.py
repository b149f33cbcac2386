"""What a data set looks like: sizes, spacings, intensities. The plan depends on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.training.case import TrainingCase
from spss.types import Affine, Shape, SpacingMm
from spss.volumes import is_constant, read_grid, read_image
from spss.volumes.orientation import canonical_axes

INTENSITY_SAMPLES = 24
"""Images whose voxels are looked at; enough for percentiles of a set, cheap for a large one."""

_VOXELS_PER_SAMPLE = 20_000


@dataclass(frozen=True)
class Fingerprint:
    """Canonical shapes and spacings of the readable volumes, and pooled intensities.

    Attributes:
        shapes: ``(N, 3)`` voxels, in canonical axis order.
        spacings_mm: ``(N, 3)``.
        intensities: pooled sample of voxels of a few images.
        unreadable: name → why.
    """

    shapes: NDArray[np.int64]
    spacings_mm: NDArray[np.float64]
    intensities: NDArray[np.float32]
    unreadable: dict[str, str]


def take_fingerprint(cases: Sequence[TrainingCase]) -> Fingerprint:
    """Reads all headers and the voxels of a few images spread over the set.

    Raises:
        InputError: if no case can be read.
    """
    shapes, spacings, readable = [], [], []
    unreadable: dict[str, str] = {}
    for case in cases:
        try:
            grid = read_grid(case.image)
        except InputError as error:
            unreadable[case.name] = str(error)
            continue
        shape, spacing = canonical_grid(grid.shape, grid.affine)
        shapes.append(shape)
        spacings.append(spacing)
        readable.append(case)
    if not readable:
        reasons = " ".join(unreadable.values())
        msg = f"None of the {len(cases)} training images can be read. {reasons}".strip()
        raise InputError(msg)
    return Fingerprint(
        np.asarray(shapes), np.asarray(spacings), _pooled_intensities(readable), unreadable
    )


def canonical_grid(shape: Shape, affine: Affine) -> tuple[Shape, SpacingMm]:
    """Shape and spacing in the axis order closest to RAS, without touching voxels."""
    # an array of booleans without storage: reorientation only permutes its strides
    marker = np.broadcast_to(np.zeros((), bool), shape)
    order = _axis_order(affine)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    sizes = [marker.shape[axis] for axis in order]
    spacing = [float(lengths[axis]) for axis in order]
    return (sizes[0], sizes[1], sizes[2]), (spacing[0], spacing[1], spacing[2])


def _axis_order(affine: Affine) -> list[int]:
    """For each canonical axis, the stored axis that becomes it."""
    return [canonical_axes(affine).index(axis) for axis in range(3)]


def _pooled_intensities(cases: Sequence[TrainingCase]) -> NDArray[np.float32]:
    """Evenly spaced voxels of evenly spaced cases; broken images are left to the preparation."""
    chosen = np.unique(np.linspace(0, len(cases) - 1, INTENSITY_SAMPLES).round().astype(int))
    samples = []
    for index in chosen:
        try:
            data = read_image(cases[index].image).data.reshape(-1)
        except InputError:
            continue
        if not is_constant(data):
            step = max(1, data.size // _VOXELS_PER_SAMPLE)
            samples.append(data[::step].copy())  # a view would keep every image in memory
    return np.concatenate(samples) if samples else np.zeros(1, np.float32)
