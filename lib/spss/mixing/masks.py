"""Random masks that say which of two volumes a voxel is taken from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spss.errors import InputError


def box_mask(
    shape: Sequence[int],
    *,
    count: int = 1,
    side_range: tuple[float, float] = (0.1, 0.9),
    full_axes: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> Tensor:
    """One random box in each mask, for cut-mix.

    Source: Yun et al., "CutMix", ICCV 2019; SPSS draws each side from 10 to 90 % of the volume and
    takes the full depth (``full_axes``).

    Args:
        shape: spatial shape.
        count: number of masks.
        side_range: smallest and largest side as a share of the volume's.
        full_axes: spatial axes along which the box spans the whole volume.
        generator: a CPU generator.

    Returns:
        ``(count, 1, *shape)`` bool, True inside the box.
    """
    low, high = side_range
    if not 0 < low <= high <= 1:
        msg = f"A box's side range must lie in 0…1 and be in order, got {side_range}."
        raise InputError(msg)
    mask = torch.ones(count, 1, *shape, dtype=torch.bool)
    for axis, size in enumerate(shape):
        if axis in full_axes:
            continue
        draw = torch.rand(count, 2, generator=generator)
        side = ((low + (high - low) * draw[:, 0]) * size).round().clamp(1, size)
        start = (draw[:, 1] * (size - side + 1)).floor().clamp(max=size - 1)
        position = torch.arange(size)
        inside = (position >= start[:, None]) & (position < (start + side)[:, None])
        view = [count, 1] + [1] * len(shape)
        view[2 + axis] = size
        mask &= inside.reshape(view)
    return mask


def block_mask(
    shape: Sequence[int],
    *,
    count: int = 1,
    blocks: int | Sequence[int] = 4,
    ratio: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A grid of blocks of which a random share is False.

    Source: Liu et al., "M3HL", MICCAI 2025: 4 x 4 x 4 blocks, half of them masked. Its complement
    is the other half of a mutual mix. An axis shorter than its blocks gets one block a voxel.

    Args:
        shape: spatial shape.
        count: number of masks.
        blocks: blocks along each axis, or along all.
        ratio: share of blocks that are False.
        generator: a CPU generator.

    Returns:
        ``(count, 1, *shape)`` bool; exactly ``round(ratio · blocks)`` blocks are False.
    """
    if not 0 <= ratio <= 1:
        msg = f"The masked share of blocks must lie in 0…1, got {ratio}."
        raise InputError(msg)
    wanted = [blocks] * len(shape) if isinstance(blocks, int) else list(blocks)
    if len(wanted) != len(shape) or min(wanted) < 1:
        msg = f"A block mask of shape {tuple(shape)} needs one count ≥ 1 an axis, got {blocks}."
        raise InputError(msg)
    grid = [min(number, size) for number, size in zip(wanted, shape, strict=True)]
    total = int(torch.tensor(grid).prod())
    order = torch.rand(count, total, generator=generator).argsort(1)
    mask = (order >= round(ratio * total)).reshape(count, 1, *grid)
    for axis, (number, size) in enumerate(zip(grid, shape, strict=True)):
        index = torch.arange(size) * number // size
        mask = mask.index_select(2 + axis, index)
    return mask
