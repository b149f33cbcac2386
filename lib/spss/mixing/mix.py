"""Mixes everything that describes a voxel (image, target, weight) by one mask."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spss.errors import InputError

Maps = Mapping[str, Tensor]
"""Names → ``(B, channels, *spatial)`` maps of the same volumes on the same grid."""


def mutual_mix(
    first: Maps, second: Maps, mask: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Two complementary mixtures: M·first + (1-M)·second and M·second + (1-M)·first.

    Source: Liu et al., "M3HL", MICCAI 2025, and before it Bai et al., "Bidirectional copy-paste",
    CVPR 2023. Every voxel of both volumes appears exactly once, with its own target and weight, so
    an annotated plane is never lost and never gets another patient's class.

    Args:
        first: maps of the first volumes.
        second: maps of the second volumes, same names and shapes.
        mask: ``(B or 1, 1, *spatial)`` bool, True where the first mixture takes ``first``.
    """
    if first.keys() != second.keys():
        msg = f"Mixing needs the same maps of both volumes, got {sorted(first)}, {sorted(second)}."
        raise InputError(msg)
    here, there = {}, {}
    for name, own in first.items():
        other = second[name]
        if own.shape != other.shape or mask.shape[2:] != own.shape[2:]:
            msg = (
                f"Mixing '{name}' needs one shape, got {tuple(own.shape)}, {tuple(other.shape)} "
                f"and a mask of {tuple(mask.shape)}."
            )
            raise InputError(msg)
        where = mask.to(own.device)
        here[name] = torch.where(where, own, other)
        there[name] = torch.where(where, other, own)
    return here, there


def cut_mix(maps: Maps, mask: Tensor, *, shift: int = 1) -> dict[str, Tensor]:
    """Pastes into each volume of a batch the masked part of the batch's ``shift``-th next volume.

    Source: Yun et al., "CutMix", ICCV 2019. Across patients, unlike SPSS's released code, which
    pastes a noisy copy of the same crop. A batch of one volume comes back unchanged.

    Args:
        maps: maps of the batch.
        mask: ``(B or 1, 1, *spatial)`` bool, True where the other volume is pasted.
        shift: distance in the batch to the volume that is pasted.
    """
    rolled = {name: values.roll(shift, 0) for name, values in maps.items()}
    return mutual_mix(rolled, maps, mask)[0]
