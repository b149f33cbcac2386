"""Propagation that keeps to a memory budget: where a volume is too large, on a coarser grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.propagation.calibration import ENOUGH_PLANES
from spss.propagation.propagate import propagate
from spss.propagation.pseudo_label import PseudoLabel
from spss.types import ClassMap, ImageArray, Shape, SpacingMm

_FLOAT = 4
_FURTHER_MAPS = 3
"""Weight, reliability and working copies, beside those of the classes."""

_MAPS_A_CLASS = 2
"""The sum and what is added to it: 14 classes on 10 million voxels took 1.4 GB (measured)."""

_MOST_COARSE = 8


@dataclass(frozen=True)
class Bounded:
    """What was carried, and how.

    Attributes:
        classes: ``(I, J, K)`` uint8 on the image's grid; annotated voxels are as drawn.
        factors: voxels along each axis that were taken together; ``(1, 1, 1)`` is all of them.
        needed_gb: memory estimated for the full grid.
    """

    classes: ClassMap
    factors: tuple[int, int, int]
    needed_gb: float

    @property
    def remark(self) -> str:
        """For the annotator; empty if nothing was left out."""
        if self.factors == (1, 1, 1):
            return ""
        coarse = " x ".join(map(str, self.factors))
        needed = f"{self.needed_gb:.1f} GB"
        return f"carried on a grid coarser by {coarse}, since all voxels need {needed}"


@dataclass(frozen=True)
class Coarse:
    """What was carried, on the grid it was carried on.

    Attributes:
        pseudo_label: on the coarse grid.
        annotation: the drawn planes on the coarse grid.
        factors: as in `Bounded`; voxel i holds the image's voxels from i * factor on.
        needed_gb: as in `Bounded`.
    """

    pseudo_label: PseudoLabel
    annotation: SparseLabel
    factors: tuple[int, int, int]
    needed_gb: float


def propagate_within(
    image: ImageArray,
    sparse_label: SparseLabel,
    *,
    spacing_mm: SpacingMm,
    class_count: int,
    memory_gb: float,
    **options: Any,
) -> Bounded:
    """As `propagate`, but classes only, and never with more than ``memory_gb`` beside the image.

    Args:
        image: ``(I, J, K)`` float32.
        sparse_label: annotated planes.
        spacing_mm: voxel size along each axis.
        class_count: including background.
        memory_gb: for the maps.
        **options: of `propagate`; ``network_probabilities`` only count where all voxels fit.

    Raises:
        InputError: as `propagate`.
        NotReadyError: as `propagate`.
    """
    found = propagate_coarsely(
        image,
        sparse_label,
        spacing_mm=spacing_mm,
        class_count=class_count,
        memory_gb=memory_gb,
        **options,
    )
    classes = found.pseudo_label.classes
    for axis, (factor, size) in enumerate(zip(found.factors, image.shape, strict=True)):
        if factor > 1:
            classes = classes.repeat(factor, axis=axis).take(range(size), axis=axis)
    if found.factors != (1, 1, 1):
        classes[sparse_label.annotated] = sparse_label.classes[sparse_label.annotated]
    return Bounded(classes, found.factors, found.needed_gb)


def propagate_coarsely(
    image: ImageArray,
    sparse_label: SparseLabel,
    *,
    spacing_mm: SpacingMm,
    class_count: int,
    memory_gb: float,
    **options: Any,
) -> Coarse:
    """As `propagate_within`, with every map, on the grid that fits the memory.

    Propagation holds two floats a class and voxel. Where that is too much, voxels are taken
    together, first along the axes that no drawn plane lies across and where voxels are smallest.
    """
    drawn = {plane.axis for plane in sparse_label.planes}
    copies = 2 if len(sparse_label.planes) >= ENOUGH_PLANES else 1  # calibration carries again
    needed = needed_gb(image.shape, class_count, copies)
    factors = _factors(image.shape, spacing_mm, class_count, copies, memory_gb, drawn)  # type: ignore[arg-type]
    if factors != (1, 1, 1):
        options.pop("network_probabilities", None)
        if options.get("range_slices") and len(drawn) == 1:
            options["range_slices"] = -(-options["range_slices"] // factors[min(drawn)])
        image, sparse_label = _block_means(image, factors), _coarse_label(sparse_label, factors)
    pseudo_label = propagate(
        image,
        sparse_label,
        spacing_mm=tuple(mm * f for mm, f in zip(spacing_mm, factors, strict=True)),  # type: ignore[arg-type]
        class_count=class_count,
        **options,
    )
    return Coarse(pseudo_label, sparse_label, factors, needed)


def needed_gb(shape: Sequence[int], class_count: int, copies: int = 1) -> float:
    """Memory of the maps that propagation holds at once, beside the image."""
    maps = copies * (_MAPS_A_CLASS * class_count + _FURTHER_MAPS)
    return float(np.prod(shape, dtype=float) * maps * _FLOAT / 1e9)


def _factors(
    shape: Shape,
    spacing_mm: SpacingMm,
    class_count: int,
    copies: int,
    memory_gb: float,
    drawn: set[int],
) -> tuple[int, int, int]:
    """How many voxels are taken together along each axis until the maps fit the memory."""
    factors = [1, 1, 1]
    while needed_gb(_coarse_shape(shape, factors), class_count, copies) > memory_gb:
        open_axes = [a for a in range(3) if factors[a] < min(_MOST_COARSE, shape[a])]
        if not open_axes:
            break
        axis = min(open_axes, key=lambda a: (a in drawn, spacing_mm[a] * factors[a]))
        factors[axis] += 1
    return factors[0], factors[1], factors[2]


def _coarse_shape(shape: Shape, factors: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-size // factor) for size, factor in zip(shape, factors, strict=True))


def _block_means(image: ImageArray, factors: Sequence[int]) -> ImageArray:
    """Means of whole blocks; the last block of an axis may be smaller."""
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        size = image.shape[axis]
        starts = np.arange(0, size, factor)
        counts = np.minimum(factor, size - starts).astype(np.float32)
        sums = np.add.reduceat(image, starts, axis=axis)
        image = sums / counts.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.ascontiguousarray(image, dtype=np.float32)


def _coarse_label(label: SparseLabel, factors: Sequence[int]) -> SparseLabel:
    """The drawn planes on the coarse grid; the middle voxel of a block speaks for it."""
    middles = [
        np.minimum(np.arange(0, size, factor) + factor // 2, size - 1)
        for size, factor in zip(label.shape, factors, strict=True)
    ]
    classes = label.classes[np.ix_(*middles)]
    annotated = label.annotated[np.ix_(*middles)]
    planes = []
    for plane in label.planes:
        coarse = Plane(plane.axis, plane.index // factors[plane.axis])
        across = [m for axis, m in enumerate(middles) if axis != plane.axis]
        classes[coarse.slices] = label.classes[plane.slices][np.ix_(*across)]
        annotated[coarse.slices] = True
        planes.append(coarse)
    return SparseLabel(classes, annotated, tuple(sorted(set(planes))))
