"""A volume as it enters training, on disk and prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spss.annotation import SparseLabel
from spss.types import Shape


@dataclass(frozen=True)
class TrainingCase:
    """One volume that may take part in training.

    Attributes:
        name: what messages and logs call it; unique.
        image: path of the image.
        load_label: returns what people decided, on the stored grid; None for a volume without any
            label, which still takes part.
    """

    name: str
    image: Path
    load_label: Callable[[], SparseLabel] | None = None


@dataclass(frozen=True)
class PreparedCase:
    """A volume in canonical orientation at the planned spacing, on the CPU.

    Attributes:
        name: as in `TrainingCase`.
        image: ``(X, Y, Z)`` float32, normalised.
        truth: ``(X, Y, Z)`` uint8 in network classes, ``UNDECIDED`` where nobody looked.
        soft: ``(C + 2, X, Y, Z)`` float16: propagated probabilities of the network's classes, their
            reliability, distance to the nearest annotated voxel. None without a propagated label.
        annotated: ``(N, 3)`` int64, indices of the annotated voxels; N = 0 without a label.
    """

    name: str
    image: Tensor
    truth: Tensor
    soft: Tensor | None
    annotated: Tensor

    @property
    def is_labelled(self) -> bool:
        """True if a person decided at least one voxel."""
        return len(self.annotated) > 0

    def near_annotation(self, patch_size: Shape) -> tuple[slice, ...]:
        """The box of the annotated voxels with half a patch on all sides, inside the volume.

        What is judged on annotated voxels need not be predicted anywhere else: of a large volume
        with one plane this is a slab.
        """
        lowest, highest = self.annotated.amin(dim=0).tolist(), self.annotated.amax(dim=0).tolist()
        return tuple(
            slice(max(0, low - size // 2), high + 1 + size // 2)
            for low, high, size in zip(lowest, highest, patch_size, strict=True)
        )
