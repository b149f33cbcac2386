"""Which voxels are certain enough to teach: class-blind as published, or class by class."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.errors import InputError


def select_class_blind(uncertainty: Tensor, rate: float) -> Tensor:
    """The published rule: the k least uncertain voxels of the whole batch, whatever their class.

    k = ⌊r · H·W·D⌋ is computed from the size of *one* volume but drawn from the whole batch, so at
    most 1/B of the voxels is ever selected (SPSS's released code). Entropy is lowest far from any
    boundary, hence this selects almost only background: kept for comparison.

    Args:
        uncertainty: ``(B, *spatial)``.
        rate: selection rate r in 0…1.

    Returns:
        ``(B, *spatial)`` bool.
    """
    _check_rate(rate)
    count = math.floor(rate * uncertainty[0].numel())
    return _lowest(uncertainty.flatten(), count).view_as(uncertainty)


def select_class_wise(
    uncertainty: Tensor,
    classes: Tensor,
    rate: float,
    *,
    class_count: int,
    boundary_rate: float | None = None,
    valid: Tensor | None = None,
) -> Tensor:
    """The least uncertain share of every predicted class of every image.

    For image b and class c with n_bc predicted voxels, the ⌈r · n_bc⌉ least uncertain are selected,
    so each class of each image is represented in proportion to its size and no image can take the
    share of another. With ``boundary_rate`` the voxels that touch another class are ranked among
    themselves and selected at that rate: without them nothing penalises a foreground that grows.

    Args:
        uncertainty: ``(B, *spatial)``.
        classes: ``(B, *spatial)`` integer, the class the teacher predicts.
        rate: selection rate r in 0…1.
        class_count: number of classes including background.
        boundary_rate: rate among boundary voxels; None ranks them with the others.
        valid: ``(B, *spatial)`` bool, voxels that may be selected; None means all.

    Returns:
        ``(B, *spatial)`` bool.

    Raises:
        InputError: a rate or a class is out of range, or the shapes differ.
    """
    _check_rate(rate)
    if uncertainty.shape != classes.shape:
        msg = (
            "Selecting voxels needs one class for each uncertainty, got shapes "
            f"{tuple(classes.shape)} and {tuple(uncertainty.shape)}."
        )
        raise InputError(msg)
    _check_classes(classes, class_count)
    strata, rates = classes.to(torch.int16), [rate] * class_count
    if boundary_rate is not None:
        _check_rate(boundary_rate)
        strata = strata + class_count * boundary_voxels(strata, class_count).to(torch.int16)
        rates = rates + [boundary_rate] * class_count
    if valid is not None:
        strata = strata.masked_fill(~valid, len(rates))
    pairs = zip(uncertainty.flatten(1), strata.flatten(1), strict=True)
    return torch.stack([_by_stratum(*pair, rates) for pair in pairs]).view_as(uncertainty)


def boundary_voxels(classes: Tensor, class_count: int) -> Tensor:
    """Voxels with a face neighbour of another class.

    Args:
        classes: ``(B, *spatial)`` integer, one to three spatial axes.
        class_count: number of classes; labels outside 0…class_count - 1 are an error.

    Returns:
        ``(B, *spatial)`` bool. The volume's border is no boundary.
    """
    _check_classes(classes, class_count)
    boundary = torch.zeros(classes.shape, dtype=torch.bool, device=classes.device)
    for axis in range(1, classes.ndim):
        length = classes.shape[axis]
        differs = classes.narrow(axis, 1, length - 1) != classes.narrow(axis, 0, length - 1)
        before = [0, 0] * (classes.ndim - 1 - axis)
        boundary |= F.pad(differs, [*before, 1, 0]) | F.pad(differs, [*before, 0, 1])
    return boundary


def _by_stratum(uncertainty: Tensor, strata: Tensor, rates: list[float]) -> Tensor:
    """Mask of the least uncertain share of each stratum of an image; none of what has no rate.

    Sorting by stratum, a few small numbers, costs less than a mask for each.
    """
    strata, order = strata.sort(stable=True)
    counts = strata.bincount(minlength=len(rates) + 1).tolist()
    parts = uncertainty[order].split(counts)
    lowest = [
        _lowest(part, math.ceil(rate * part.numel() - 1e-9))
        for part, rate in zip(parts, [*rates, 0.0], strict=True)
    ]
    return torch.empty_like(order, dtype=torch.bool).scatter_(0, order, torch.cat(lowest))


def _lowest(values: Tensor, count: int) -> Tensor:
    """Mask of the ``count`` smallest of a flat tensor; ties go to the earlier index.

    kthvalue finds the threshold without sorting everything. Certain voxels often tie at exactly
    zero entropy, so a plain comparison with the threshold would select far too many.
    """
    if count <= 0 or values.numel() == 0:
        return torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    if count >= values.numel():
        return torch.ones(values.shape, dtype=torch.bool, device=values.device)
    threshold = values.kthvalue(count).values
    below, ties = values < threshold, values == threshold
    return below | (ties & (ties.cumsum(0) <= count - below.sum()))


def _check_classes(classes: Tensor, class_count: int) -> None:
    if classes.numel() == 0:
        return
    lowest, highest = (int(each) for each in classes.aminmax())
    if lowest < 0 or highest >= class_count:
        msg = f"Classes must lie in 0…{class_count - 1}, got {lowest}…{highest}."
        raise InputError(msg)


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        msg = f"A selection rate must lie in 0…1, got {rate}."
        raise InputError(msg)
