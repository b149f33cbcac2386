"""What a training step sees: patches of a few volumes and everything decided about them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from spss.types import UNDECIDED


@dataclass(frozen=True)
class Batch:
    """``B`` patches of shape ``(X, Y, Z)``, all tensors on the training device.

    All maps of a patch went through the same crop, warp and flip, so they stay aligned. Voxels
    outside the volume (padding, or air that the warp pulled in) have ``valid`` False, truth
    ``UNDECIDED`` and reliability 0: no loss may count them.

    Attributes:
        names: name of the volume each patch was cut from.
        image: ``(B, 1, X, Y, Z)`` float32, normalised as the plan says.
        truth: ``(B, X, Y, Z)`` int64, class indices where a person decided, else ``UNDECIDED``.
        valid: ``(B, X, Y, Z)`` bool, True inside the volume.
        pseudo_label: ``(B, C, X, Y, Z)`` float32, the propagated soft label; annotated voxels hold
            the truth as one-hot. Sums to one over C (within 0.01) where ``reliability`` > 0.
        reliability: ``(B, X, Y, Z)`` float32 in 0…1, trust in ``pseudo_label``: 1 on annotated
            voxels, 0 where nothing was propagated.
        distance: ``(B, X, Y, Z)`` float32, distance to the nearest annotated voxel in voxels of
            the stored grid (along the normal of an annotated plane: slices); ``inf`` where the
            volume has no annotation.
        spacing_mm: distance between neighbouring voxels of the patch along X, Y, Z.
        passes: how often each labelled volume was drawn before this batch, their mean, over all
            processes that train together.
    """

    names: tuple[str, ...]
    image: Tensor
    truth: Tensor
    valid: Tensor
    pseudo_label: Tensor
    reliability: Tensor
    distance: Tensor
    spacing_mm: tuple[float, float, float]
    passes: float = 0.0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def annotated(self) -> Tensor:
        """``(B, X, Y, Z)`` bool, True where a person decided the class."""
        return self.truth != UNDECIDED

    @property
    def labelled(self) -> Tensor:
        """``(B,)`` bool, True for patches with at least one annotated voxel."""
        return self.annotated.flatten(1).any(dim=1)

    @property
    def class_count(self) -> int:
        """``C``, classes the network knows, background included."""
        return int(self.pseudo_label.shape[1])

    def select(self, rows: Tensor) -> Batch:
        """The patches for which the ``(B,)`` bool tensor ``rows`` is True."""
        kept = rows.to(self.image.device)
        names = tuple(name for name, keep in zip(self.names, rows.tolist(), strict=True) if keep)
        return Batch(**{**self._tensors(lambda tensor: tensor[kept]), "names": names})

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**self._tensors(lambda tensor: tensor.to(device)))

    def channels_last(self) -> Batch:
        """The same batch with the images laid out for channels-last convolutions."""
        image = self.image.contiguous(memory_format=torch.channels_last_3d)
        return replace(self, image=image)

    def _tensors(self, change) -> dict:  # type: ignore[no-untyped-def]
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: change(value) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }
