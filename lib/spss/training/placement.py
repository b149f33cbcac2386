"""Where a patch lies in its volume, and the values there.

One interpolation does crop, padding, affine and elastic deformation at once, so nothing is blurred
twice and a patch costs the same whatever the size of its volume.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.types import Shape


class Placement:
    """Where a patch's voxels lie in its volume.

    Attributes:
        positions: ``(X, Y, Z, 3)`` float32, voxel coordinates in the volume, may lie outside.
    """

    def __init__(self, positions: Tensor) -> None:
        self.positions = positions
        flat = positions.reshape(-1, 3)
        self._low, self._high = flat.amin(0), flat.amax(0)
        self._windows: dict[tuple[int, ...], tuple[tuple[slice, ...], Tensor]] = {}

    def inside(self, shape: Shape) -> Tensor:
        """``(X, Y, Z)`` bool, True where the position lies within the volume's voxels."""
        upper = torch.tensor(shape, dtype=torch.float32, device=self.positions.device) - 0.5
        if bool((self._low > -0.5).all() and (self._high < upper).all()):
            return torch.ones(self.positions.shape[:3], dtype=torch.bool, device=upper.device)
        return ((self.positions > -0.5) & (self.positions < upper)).all(dim=-1)

    def window(self, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], Tensor]:
        """Box of a volume that the patch touches, and `grid_sample`'s grid in that box.

        Returns:
            Index of ``(K, X, Y, Z)`` maps, and ``(1, X, Y, Z, 3)`` float32.
        """
        if shape not in self._windows:
            edges = []
            for low, high, size in zip(self._low.tolist(), self._high.tolist(), shape, strict=True):
                first = min(max(math.floor(low), 0), size - 1)
                edges.append((first, max(min(math.ceil(high) + 1, size), first + 1)))
            device = self.positions.device
            origin = torch.tensor([float(first) for first, _ in edges], device=device)
            half = [max(last - first - 1, 1) / 2 for first, last in edges]
            grid = (self.positions - origin) / torch.tensor(half, device=device) - 1
            box = (slice(None), *(slice(first, last) for first, last in edges))
            # grid_sample wants the last axis first
            self._windows[shape] = box, grid[None, ..., [2, 1, 0]]
        return self._windows[shape]


def place_patch(
    centre: Tensor, patch: Shape, *, matrix: Tensor | None = None, bend: Tensor | None = None
) -> Placement:
    """Positions of a patch around ``centre``.

    Args:
        centre: ``(3,)`` voxel coordinates in the volume.
        patch: voxels of the patch.
        matrix: ``(3, 3)``, patch offsets to volume offsets, in voxels; None = identity.
        bend: ``(X, Y, Z, 3)`` displacement in voxels; None = none.
    """
    axes = [torch.arange(size, dtype=torch.float32) - (size - 1) / 2 for size in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(centre.device)
    if matrix is not None:
        offsets = offsets @ matrix.T
    if bend is not None:
        offsets = offsets + bend
    return Placement(offsets + centre)


def sample(
    maps: Tensor,
    placement: Placement,
    *,
    nearest: bool = False,
    box_of: tuple[int, int, int] | None = None,
) -> Tensor:
    """Values of ``(K, X, Y, Z)`` maps at the placement's positions; outside, the nearest inside.

    Only the box of the volume that the positions touch is looked at.

    Args:
        maps: of the whole volume, or of the placement's window in it.
        placement: where to look.
        nearest: for class indices; else linear.
        box_of: shape of the volume if ``maps`` is only the window.
    """
    box, grid = placement.window(box_of or maps.shape[1:])
    return F.grid_sample(
        (maps if box_of else maps[box]).to(grid.device, torch.float32)[None],
        grid,
        mode="nearest" if nearest else "bilinear",
        padding_mode="border",
        align_corners=True,
    )[0]
