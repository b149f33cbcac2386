"""What training learns from beside the annotation: its planes carried through the volume."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spss.annotation import SparseLabel
from spss.errors import InputError, NotReadyError
from spss.propagation import UNFITTED_END_RULE
from spss.propagation.bounded import propagate_coarsely
from spss.training.planned_grid import PlannedGrid
from spss.types import Probabilities

_MAPS_SHARE = 0.3
"""Of the planned memory for the maps of a propagation; the image and its copies need the rest."""


def soft_label(
    grid: PlannedGrid,
    label: SparseLabel,
    classes: tuple[int, ...],
    *,
    class_count: int,
    propagator: str,
) -> tuple[Tensor | None, str]:
    """Carries the annotated planes through the volume, on a coarser grid if the memory wants it.

    Args:
        grid: the volume and the plan.
        label: on the volume's stored grid.
        classes: that the network knows.
        class_count: of the data set, background included.
        propagator: name from `spss.propagation.list_propagators`.

    Returns:
        ``(C + 2, X, Y, Z)`` float16: probabilities of ``classes``, reliability, distance in stored
        voxels to what was drawn; or None and, in one sentence, why not.
    """
    volume = grid.volume
    try:
        found = propagate_coarsely(
            volume.data,
            label,
            spacing_mm=volume.spacing_mm,
            class_count=class_count,
            memory_gb=grid.plan.memory_gb * _MAPS_SHARE,
            propagator=propagator,
            end_rule=UNFITTED_END_RULE,
        )
    except (InputError, NotReadyError) as error:
        return None, str(error)
    pseudo = found.pseudo_label
    distance = distance_to_annotation(found.annotation, found.factors)
    maps = _merge_classes(pseudo.probabilities, classes)
    soft = [grid.soft(values, found.factors) for values in (*maps, pseudo.reliability, distance)]
    return torch.from_numpy(np.stack(soft)), ""


def distance_to_annotation(
    annotation: SparseLabel, factors: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Stored voxels to the nearest annotated one.

    To whole planes it is measured along their axes, which is quicker than a transform.
    """
    covered = np.zeros(annotation.shape, bool)
    for plane in annotation.planes:
        covered[plane.slices] = True
    if not np.array_equal(covered, annotation.annotated):
        return _transform(annotation.annotated, factors)
    distance = np.full(annotation.shape, np.inf, np.float32)
    for axis in {plane.axis for plane in annotation.planes}:
        drawn = np.array([plane.index for plane in annotation.planes if plane.axis == axis])
        places = np.arange(annotation.shape[axis])
        along = factors[axis] * np.abs(places[:, None] - drawn).min(axis=1)
        along = along.astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        np.minimum(distance, along, out=distance)
    return distance


def _transform(mask: NDArray[np.bool_], spacing: tuple[int, int, int]) -> NDArray[np.float32]:
    """Distance to the nearest voxel of the mask; in float32: SciPy's keeps indices and float64."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(size) for size in reversed(spacing)])
    signed = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return np.maximum(sitk.GetArrayViewFromImage(signed), 0.0)


def _merge_classes(probabilities: Probabilities, classes: tuple[int, ...]) -> Probabilities:
    """Keeps the network's classes; the others' share goes to the background."""
    if len(classes) == len(probabilities):
        return probabilities
    kept = probabilities[list(classes)]
    kept[0] += 1 - kept.sum(axis=0)
    return kept
