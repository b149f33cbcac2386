"""Weight of a pseudo-labelled voxel from its distance to what a person annotated."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import ScalarMap, Shape


def plane_distance(shape: Shape, planes: tuple[Plane, ...]) -> ScalarMap:
    """Slices from each voxel to the nearest annotated plane, over planes of all axes.

    Returns:
        ``(I, J, K)`` float32 in voxels; infinite if there is no plane.
    """
    distance = np.full(shape, np.inf, np.float32)
    for plane in planes:
        plane.check(shape)
        steps = np.abs(np.arange(shape[plane.axis], dtype=np.float32) - plane.index)
        distance = np.minimum(distance, np.moveaxis(steps[:, None, None], 0, plane.axis))
    return distance


def voxel_distance(annotated: np.ndarray) -> ScalarMap:
    """Voxels (Euclidean) from each voxel to the nearest annotated one, for clicks and scribbles."""
    if not annotated.any():
        return np.full(annotated.shape, np.inf, np.float32)
    return distance_transform_edt(~annotated.astype(bool)).astype(np.float32)


def distance_weights(distance: Tensor, *, base: float = 0.8, truncate: bool = False) -> Tensor:
    """W = base^d, 1 on annotated voxels.

    Source: PLN (Li et al., TMI 2023), whose intended float weight is 0.8^d.

    Args:
        distance: slices to the nearest annotated plane.
        base: weight one slice away.
        truncate: round towards zero, as the released code does by storing the weights in the
            label's integer type: every propagated voxel then weighs 0 (defect A1).
    """
    if not 0 < base <= 1:
        msg = f"A distance weight's base must lie above 0 and be at most 1, got {base}."
        raise InputError(msg)
    weights = torch.as_tensor(base, dtype=torch.float32, device=distance.device) ** distance
    return weights.trunc() if truncate else weights


def disagreement_factor(
    propagated: Tensor, predicted: Tensor, iteration: int, *, start: int = 1000
) -> Tensor:
    """1 + 1[y_reg ≠ y_seg] · 2 √((t - t₀) / 10⁵) from iteration t₀ on, else 1.

    Source: PLN's and SPSS's released code. Disagreement *raises* the weight (emphasis on hard
    voxels), up to 1.45 at t = 6000.

    Args:
        propagated: ``(B, *spatial)`` integer classes of the propagated label.
        predicted: ``(B, *spatial)`` integer classes the network predicts.
        iteration: t.
        start: t₀.
    """
    extra = 2.0 * math.sqrt(max(iteration - start, 0) / 1e5)
    return 1.0 + extra * (propagated != predicted).float()
