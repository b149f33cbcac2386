"""What people decided about one volume: classes, where they looked, and from which planes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spss.annotation.plane import Plane
from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap, Mask, Shape


@dataclass(frozen=True)
class SparseLabel:
    """A class map that knows where a person looked.

    A label map alone cannot say whether a zero means "background" or "nobody looked".

    Attributes:
        classes: ``(I, J, K)`` uint8, meaningful only where ``annotated``; 0 elsewhere.
        annotated: ``(I, J, K)`` bool, True where a person decided the class.
        planes: the planes the decision came from, sorted. Empty for a dense label, clicks or
            scribbles.
    """

    classes: ClassMap
    annotated: Mask
    planes: tuple[Plane, ...] = ()

    def __post_init__(self) -> None:
        if self.classes.ndim != 3 or self.classes.shape != self.annotated.shape:
            msg = (
                "A sparse label needs a 3-D class map and a mask of the same shape, got "
                f"{self.classes.shape} and {self.annotated.shape}."
            )
            raise InputError(msg)
        for plane in self.planes:
            plane.check(self.shape)

    @classmethod
    def empty(cls, shape: Shape) -> SparseLabel:
        """A label in which nothing has been decided yet."""
        return cls(np.zeros(shape, np.uint8), np.zeros(shape, bool))

    @classmethod
    def from_planes(cls, label: ClassMap, planes: Iterable[Plane]) -> SparseLabel:
        """Takes only ``planes`` of a label map; nothing else of it is kept."""
        annotated = np.zeros(label.shape, bool)
        planes = tuple(sorted(set(planes)))
        for plane in planes:
            plane.check(label.shape)  # type: ignore[arg-type]
            annotated[plane.slices] = True
        return cls(np.where(annotated, label, 0).astype(np.uint8), annotated, planes)

    @classmethod
    def dense(cls, label: ClassMap) -> SparseLabel:
        """A label in which every voxel was decided."""
        return cls(label.astype(np.uint8), np.ones(label.shape, bool))

    @classmethod
    def from_undecided(cls, label: ClassMap, planes: Iterable[Plane] = ()) -> SparseLabel:
        """From a class map whose undecided voxels hold ``UNDECIDED`` (clicks, scribbles)."""
        annotated = label != UNDECIDED
        classes = np.where(annotated, label, 0).astype(np.uint8)
        return cls(classes, annotated, tuple(sorted(set(planes))))

    def with_undecided(self) -> ClassMap:
        """The class map with ``UNDECIDED`` where nobody looked."""
        return np.where(self.annotated, self.classes, UNDECIDED).astype(np.uint8)

    @property
    def shape(self) -> Shape:
        """``(I, J, K)``."""
        return self.classes.shape  # type: ignore[return-value]

    @property
    def is_dense(self) -> bool:
        """True if every voxel was decided."""
        return bool(self.annotated.all())

    @property
    def is_empty(self) -> bool:
        """True if no voxel was decided."""
        return not self.annotated.any()
