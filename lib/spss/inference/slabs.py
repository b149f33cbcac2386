"""A big volume in slabs, so that classes x voxels of float never exist at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.training.resample import interpolate_axis, source_positions
from spss.types import Shape


@dataclass(frozen=True)
class Slab:
    """A range of stored slices and the planned voxels that decide it.

    Attributes:
        axis: along which the volume is cut.
        read: index of the planned grid to predict on, with a margin for context.
        write: index of the stored (canonical) grid that the slab fills.
        positions: per axis, where the slab's stored voxels lie in the part that was read.
    """

    axis: int
    read: tuple[slice, ...]
    write: tuple[slice, ...]
    positions: tuple[NDArray[np.float64], ...]


def plan_slabs(
    planned: Shape,
    stored: Shape,
    *,
    halo: Sequence[int],
    multiple: Sequence[int],
    bytes_per_voxel: float,
    memory_bytes: float,
) -> list[Slab]:
    """Cuts along the longest stored axis into as few slabs as the memory allows.

    Args:
        planned: shape at the planned spacing.
        stored: shape of the image in canonical orientation.
        halo: planned voxels of context on each side of a slab.
        multiple: what is read starts at a multiple of this.
        bytes_per_voxel: of all maps of a voxel.
        memory_bytes: for one slab.
    """
    axis = int(np.argmax(stored))
    voxels = max(np.prod(stored, dtype=float), np.prod(planned, dtype=float))
    per_slice = voxels * bytes_per_voxel / stored[axis]
    count = int(np.clip(memory_bytes / per_slice, 1, stored[axis]))
    return [
        _slab(planned, stored, axis, start, min(start + count, stored[axis]), halo, multiple)
        for start in range(0, stored[axis], count)
    ]


def to_stored_slab(probabilities: NDArray[np.float32], slab: Slab) -> NDArray[np.float32]:
    """``(C, x, y, z)`` on the part that was read to ``(C, ...)`` on the stored voxels."""
    for axis, positions in enumerate(slab.positions, start=1):
        probabilities = interpolate_axis(probabilities, axis, positions)
    return probabilities


def _slab(
    planned: Shape,
    stored: Shape,
    axis: int,
    start: int,
    stop: int,
    halo: Sequence[int],
    multiple: Sequence[int],
) -> Slab:
    read, write, positions = [], [], []
    for this, (size, stored_size) in enumerate(zip(planned, stored, strict=True)):
        places = source_positions(size, stored_size)
        if this != axis:
            read.append(slice(0, size))
            write.append(slice(0, stored_size))
            positions.append(places)
            continue
        places = places[start:stop]
        low = max(0, int(np.floor(places[0])) - halo[axis]) // multiple[axis] * multiple[axis]
        high = min(size, int(np.ceil(places[-1])) + 1 + halo[axis])
        read.append(slice(low, high))
        write.append(slice(start, stop))
        positions.append(places - low)
    return Slab(axis, tuple(read), tuple(write), tuple(positions))
