"""Between the stored grid and the planned spacing, without ever losing an annotated plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap, Shape, SpacingMm

_BLUR_FROM = 1.2
"""Downsampling by less than this factor aliases too little to be worth a smoothing pass."""

_VOTES_AT_ONCE = 4_000_000
"""Voxels that are counted together: a large dense label's would take gigabytes."""

MOST_GROWTH = 64
"""A volume that needs more voxels than this many times its own has four times the set's spacing
along every axis, or a wrong header; small results are allowed all the same."""

SMALL_VOXELS = 50_000_000
"""Of 0.2 GB in float32: not worth a refusal."""


def resampled_shape(shape: Shape, spacing_mm: SpacingMm, target_mm: SpacingMm) -> Shape:
    """Voxels along each axis after resampling; at least 1.

    Raises:
        InputError: if the volume would grow beyond all proportion, which no memory would hold.
    """
    sizes = (
        max(1, round(size * source / target))
        for size, source, target in zip(shape, spacing_mm, target_mm, strict=True)
    )
    first, second, third = sizes
    if is_out_of_proportion(first * second * third, np.prod(shape, dtype=float)):
        source, target = (" x ".join(f"{mm:.3g}" for mm in s) for s in (spacing_mm, target_mm))
        msg = (
            f"Its spacing of {source} mm is so far from the planned {target} mm that {shape} "
            f"voxels would become {(first, second, third)}: correct the spacing in its header, or "
            "leave it out."
        )
        raise InputError(msg)
    return (first, second, third)


def is_out_of_proportion(voxels: float, own_voxels: float) -> bool:
    """Whether a volume would need far more voxels than it has."""
    return voxels > SMALL_VOXELS and voxels > MOST_GROWTH * own_voxels


def resample_linear(array: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """Linear interpolation of ``(..., X, Y, Z)`` to ``shape``, both grids covering the same space.

    Voxel i of n lies at (i + 1/2) / n of the extent. Values beyond the outermost voxel centres are
    the outermost value.
    """
    for axis, size in enumerate(shape, start=array.ndim - 3):
        array = interpolate_axis(array, axis, source_positions(array.shape[axis], size))
    return array


def resample_blocks(
    array: NDArray[np.float32], axis: int, *, factor: int, source_size: int, size: int
) -> NDArray[np.float32]:
    """Linear interpolation along one axis of a map of blocks.

    Args:
        array: each voxel stands for ``factor`` source voxels along the axis, the last for the rest.
        axis: of the array.
        factor: source voxels of a block.
        source_size: voxels of the source.
        size: voxels of the result, which covers the source.
    """
    positions = (source_positions(source_size, size) + 0.5) / factor - 0.5
    return interpolate_axis(array, axis, np.clip(positions, 0, array.shape[axis] - 1))


def smooth_for(array: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """Gaussian smoothing along axes that are about to lose voxels.

    The standard deviation (factor - 1) / 2 voxels is scikit-image's anti-aliasing rule.
    """
    for axis, size in enumerate(shape, start=array.ndim - 3):
        factor = array.shape[axis] / size
        if factor > _BLUR_FROM:
            array = gaussian_filter1d(array, (factor - 1) / 2, axis=axis, mode="nearest")
    return array


def resample_classes(classes: ClassMap, shape: Shape) -> ClassMap:
    """Resamples a class map with ``UNDECIDED`` so that every annotated voxel reaches the result.

    Axes that get finer take the nearest voxel, so that no gaps open; then, along axes that get
    coarser, a voxel takes the most frequent class of the annotated voxels that fall into it.
    """
    finer = [
        np.rint(source_positions(source, max(source, size))).astype(np.intp)
        for source, size in zip(classes.shape, shape, strict=True)
    ]
    classes = classes[np.ix_(*finer)]
    if classes.shape == shape:
        return classes
    result = np.full(shape, UNDECIDED, np.uint8)
    first, *others = (
        np.minimum((np.arange(source) + 0.5) * size / source, size - 1).astype(np.intp)
        for source, size in zip(classes.shape, shape, strict=True)
    )
    rows = max(1, _VOTES_AT_ONCE * shape[0] // classes.size)
    for start in range(0, shape[0], rows):
        slab = slice(*np.searchsorted(first, (start, start + rows)))
        _vote(classes[slab], (first[slab] - start, *others), result[start : start + rows])
    return result


def source_positions(source_size: int, size: int) -> NDArray[np.float64]:
    """Where ``size`` voxel centres lie on a grid of ``source_size`` voxels over the same extent."""
    positions = (np.arange(size) + 0.5) * source_size / size - 0.5
    return np.clip(positions, 0, source_size - 1)


def interpolate_axis(
    array: NDArray[np.float32], axis: int, positions: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Linear interpolation along one axis at fractional positions inside it."""
    low = np.floor(positions).astype(np.intp)
    if np.array_equal(low, np.arange(array.shape[axis])) and np.array_equal(low, positions):
        return array
    high = np.minimum(low + 1, array.shape[axis] - 1)
    weight = (positions - low).astype(np.float32)
    weight = weight.reshape((-1,) + (1,) * (array.ndim - 1 - axis))
    lower, upper = np.take(array, low, axis=axis), np.take(array, high, axis=axis)
    upper -= lower  # in place: a large CT's copies count in gigabytes
    upper *= weight
    upper += lower
    return upper


def _vote(classes: ClassMap, into: tuple[NDArray[np.intp], ...], result: ClassMap) -> None:
    """Writes the most frequent annotated class of the voxels that fall ``into`` each place."""
    annotated = np.nonzero(classes != UNDECIDED)
    places = tuple(axis[index] for axis, index in zip(into, annotated, strict=True))
    voted, winner = _majority(np.ravel_multi_index(places, result.shape), classes[annotated])
    result.reshape(-1)[voted] = winner


def _majority(
    places: NDArray[np.intp], votes: ClassMap
) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Most frequent vote at each distinct place; the smaller class wins a tie."""
    if len(places) == 0:
        return places, votes
    pairs, counts = np.unique(places.astype(np.int64) * 256 + votes, return_counts=True)
    order = np.lexsort((-(pairs % 256), counts, pairs // 256))
    last = np.append(np.diff(pairs[order] // 256) != 0, True)
    best = pairs[order][last]
    return (best // 256).astype(np.intp), (best % 256).astype(np.uint8)
