"""Voxels so far from a propagated structure that it does not reach them, whatever the errors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.types import SpacingMm


def beyond_reach(foreground: Tensor, spacing_mm: SpacingMm, *, radii: float = 1.0) -> Tensor:
    """True where no foreground voxel lies within ``radii`` times the structure's own radius.

    Propagation loses its way by a part of the structure's size, so its statement "nothing here" is
    worth something where there is nothing for a whole radius around, on whatever slice. The radius
    is that of the ball with the foreground's volume, (3 V / 4π)^(1/3), so that no length has to be
    chosen per organ; the neighbourhood is a box, axis by axis.

    Args:
        foreground: ``(B, X, Y, Z)`` bool, what was propagated.
        spacing_mm: distance between neighbouring voxels along X, Y, Z.
        radii: reach in such radii.

    Returns:
        ``(B, X, Y, Z)`` bool; all True for a patch without foreground.
    """
    voxel_mm3 = math.prod(spacing_mm)
    near = [_dilated(each, spacing_mm, radii * _radius_mm(each, voxel_mm3)) for each in foreground]
    return ~torch.stack(near)


def _radius_mm(foreground: Tensor, voxel_mm3: float) -> float:
    return (3 * float(foreground.sum()) * voxel_mm3 / (4 * math.pi)) ** (1 / 3)


def _dilated(foreground: Tensor, spacing_mm: SpacingMm, reach_mm: float) -> Tensor:
    """One axis after the other: a box is the sum of its edges.

    Counted with running sums, which cost the same for any reach.
    """
    grown = foreground
    for axis, spacing in enumerate(spacing_mm):
        size = foreground.shape[axis]
        steps = min(round(reach_mm / spacing), size)
        if steps > 0:
            count = F.pad(grown.cumsum(axis, dtype=torch.int32).movedim(axis, -1), (1, 0))
            place = torch.arange(size, device=grown.device)
            last = (place + steps + 1).clamp(max=size)
            first = (place - steps).clamp(min=0)
            grown = (count.index_select(-1, last) > count.index_select(-1, first)).movedim(-1, axis)
    return grown
