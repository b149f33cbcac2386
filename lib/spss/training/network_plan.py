"""How deep a network a patch can carry, and where it may stride."""

from __future__ import annotations

from dataclasses import dataclass

from spss.networks import Architecture
from spss.types import Shape, SpacingMm

MOST_CHANNELS = {"unet": 256, "dynunet": 320}
MOST_LEVELS = {"unet": 5, "dynunet": 6}
FEWEST_STRIDES = 2
"""That MONAI's DynUNet takes; smaller volumes get its UNet."""

SMALLEST_EDGE = 4
"""An axis is halved only while at least so many voxels remain (nnU-Net)."""

_PADDED_EDGE = 2 * SMALLEST_EDGE


@dataclass(frozen=True)
class NetworkKind:
    """Which of MONAI's networks, and how wide.

    Attributes:
        family: ``unet`` or ``dynunet``.
        filters: at the top level.
        bytes_per_voxel: peak training memory per voxel of a batch (activations, gradients, maps),
            estimated on the safe side for float32; a method with several passes may need more.
        strided_stem: the first convolution strides already, so that nothing but the last layers is
            computed at full resolution.
    """

    family: str
    filters: int
    bytes_per_voxel: int
    strided_stem: bool = False


LARGE = NetworkKind("dynunet", 32, 2600)
"""nnU-Net's."""

SMALL = NetworkKind("unet", 16, 700)
"""Strides in its first convolution: trains in minutes on one core."""

FLAT = NetworkKind("dynunet", 16, 1300, strided_stem=True)
"""For thick slices: kernels are flat at first, and the stem strides in the plane alone. ACDC from
dense labels, five minutes of one core: test Dice 0.793, with `SMALL` 0.719, with 8 filters at full
resolution 0.768 (``docs/research.md``)."""


def network_kind(*, on_gpu: bool, thick_slices: bool) -> NetworkKind:
    """nnU-Net's network where there is a GPU, else what learns most in minutes of a CPU."""
    if on_gpu:
        return LARGE
    return FLAT if thick_slices else SMALL


def plan_architecture(size: Shape, spacing_mm: SpacingMm, kind: NetworkKind) -> Architecture:
    """Strides while an axis is long enough and not yet coarser than twice the finest.

    nnU-Net's rule: an axis whose voxels are already twice as long as another's waits until the
    others have caught up. Kernels have size 1 along an axis of one voxel; in ``dynunet`` also while
    the axis waits.

    Args:
        size: voxels of the wanted patch.
        spacing_mm: planned spacing.
        kind: family and width.
    """
    family = kind.family
    edges = list(padded(size))
    spacing = list(spacing_mm)
    strides: list[tuple[int, int, int]] = []
    kernels = [_kernel(edges, spacing, family)]
    while len(strides) < MOST_LEVELS[family] - 1:
        stride = _next_stride(edges, spacing)
        if max(stride) == 1:
            break
        strides.append((stride[0], stride[1], stride[2]))
        edges = [-(-edge // step) for edge, step in zip(edges, stride, strict=True)]
        spacing = [length * step for length, step in zip(spacing, stride, strict=True)]
        kernels.append(_kernel(edges, spacing, family, before=kernels[-1]))
    if len(strides) < FEWEST_STRIDES:
        family = "unet"
    stem = (1, 1, 1)
    if kind.strided_stem and len(strides) > FEWEST_STRIDES:
        stem, *strides = strides
        del kernels[1]
    channels = tuple(
        min(kind.filters * 2**level, MOST_CHANNELS[family]) for level in range(len(kernels))
    )
    return Architecture(family, channels, tuple(strides), tuple(kernels), stem_stride=stem)


def padded(size: Shape) -> Shape:
    """Short axes grown to 8 voxels, so that there is something to halve; a single slice stays one.

    A volume of one voxel, or one line of them, is grown along every axis.
    """
    flat = [edge == 1 for edge in size]
    if sum(flat) > 1:
        flat = [False] * 3
    edges = [
        1 if thin else max(edge, _PADDED_EDGE) if max(size) < _PADDED_EDGE else edge
        for edge, thin in zip(size, flat, strict=True)
    ]
    return (edges[0], edges[1], edges[2])


def round_up(size: Shape, multiple: Shape) -> Shape:
    """Each size of the padded patch to the next multiple the network can take."""
    edges = [-(-edge // step) * step for edge, step in zip(padded(size), multiple, strict=True)]
    return (edges[0], edges[1], edges[2])


def _next_stride(edges: list[int], spacing: list[float]) -> list[int]:
    """Halves axes whose voxels are fine and whose patch is long enough; nnU-Net's rule."""
    halvable = [edge >= 2 * SMALLEST_EDGE for edge in edges]
    if not any(halvable):
        return [1, 1, 1]
    finest = min(length for length, able in zip(spacing, halvable, strict=True) if able)
    return [
        2 if able and length < 2 * finest else 1
        for length, able in zip(spacing, halvable, strict=True)
    ]


def _kernel(
    edges: list[int], spacing: list[float], family: str, before: tuple[int, int, int] = (1, 1, 1)
) -> tuple[int, int, int]:
    """Flat along an axis so coarse that neighbours say little; never flat again after (nnU-Net)."""
    finest = min(spacing)
    sizes = [
        1 if edge == 1 or (family == "dynunet" and length >= 2 * finest) else 3
        for edge, length in zip(edges, spacing, strict=True)
    ]
    first, second, third = (max(pair) for pair in zip(sizes, before, strict=True))
    return (first, second, third)
