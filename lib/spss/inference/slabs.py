"""A big volume in parts, so that classes x voxels of float never exist at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.training.resample import interpolate_axis, source_positions
from spss.types import Shape

_WORTH_IT = 0.9
"""A further cut must leave at most this share of the memory: every cut computes windows twice."""


@dataclass(frozen=True)
class Slab:
    """A block of stored voxels and the planned voxels that decide it.

    Attributes:
        read: index of the planned grid to predict on, with a margin for context.
        write: index of the stored (canonical) grid that the slab fills.
        positions: per axis, where the slab's stored voxels lie in the part that was read.
    """

    read: tuple[slice, ...]
    write: tuple[slice, ...]
    positions: tuple[NDArray[np.float64], ...]

    def bytes(self, per_read: float, per_written: float) -> float:
        """Memory that it takes, with so many bytes per voxel that is read and written."""
        read, written = (
            np.prod([part.stop - part.start for part in parts], dtype=float)
            for parts in (self.read, self.write)
        )
        return float(per_read * read + per_written * written)


def plan_slabs(
    planned: Shape,
    stored: Shape,
    *,
    halo: Sequence[int],
    multiple: Sequence[int],
    bytes_per_voxel: tuple[float, float],
    memory_bytes: float,
) -> list[Slab]:
    """Cuts into as few blocks as the memory allows, along the axis that saves most each time.

    Where even small blocks would not fit, since the margins outweigh them, the last cut that still
    helped is kept.

    Args:
        planned: shape at the planned spacing.
        stored: shape of the image in canonical orientation.
        halo: planned voxels of context on each side of a slab.
        multiple: what is read starts at a multiple of this.
        bytes_per_voxel: of all maps, per voxel that is read and per voxel that is written.
        memory_bytes: for one slab.
    """

    def cut(parts: Sequence[int]) -> list[Slab]:
        """The slabs of so many parts along each axis."""
        return _cut(planned, stored, parts, halo, multiple)

    def need(parts: Sequence[int]) -> float:
        """Bytes of the largest slab, which is alone in memory."""
        return max(slab.bytes(*bytes_per_voxel) for slab in cut(parts))

    parts, needed = [1, 1, 1], need([1, 1, 1])
    while needed > memory_bytes:
        finer = [
            [*parts[:axis], min(stored[axis], _more(parts[axis])), *parts[axis + 1 :]]
            for axis in range(3)
        ]
        best = min(finer, key=need)
        if need(best) > _WORTH_IT * needed:
            break
        parts, needed = best, need(best)
    return cut(parts)


def to_stored_slab(probabilities: NDArray[np.float32], slab: Slab) -> NDArray[np.float32]:
    """``(C, x, y, z)`` on the part that was read to ``(C, ...)`` on the stored voxels."""
    for axis, positions in enumerate(slab.positions, start=1):
        probabilities = interpolate_axis(probabilities, axis, positions)
    return probabilities


def _more(parts: int) -> int:
    return parts + max(1, parts // 2)


def _cut(
    planned: Shape,
    stored: Shape,
    parts: Sequence[int],
    halo: Sequence[int],
    multiple: Sequence[int],
) -> list[Slab]:
    """One slab for each combination of the three axes' parts."""
    per_axis = [
        _ranges(planned[axis], stored[axis], parts[axis], halo[axis], multiple[axis])
        for axis in range(3)
    ]
    return [
        Slab(*(tuple(of_axis) for of_axis in zip(*ranges, strict=True)))
        for ranges in itertools.product(*per_axis)
    ]


def _ranges(
    planned: int, stored: int, parts: int, halo: int, multiple: int
) -> list[tuple[slice, slice, NDArray[np.float64]]]:
    """What to read, what to write, and where the written voxels lie in what was read."""
    places = source_positions(planned, stored)
    if parts == 1:
        return [(slice(0, planned), slice(0, stored), places)]
    edges = np.linspace(0, stored, parts + 1).round().astype(int).tolist()
    found = []
    for start, stop in itertools.pairwise(edges):
        mine = places[start:stop]
        low = max(0, int(np.floor(mine[0])) - halo) // multiple * multiple
        high = min(planned, int(np.ceil(mine[-1])) + 1 + halo)
        found.append((slice(low, high), slice(start, stop), mine - low))
    return found
