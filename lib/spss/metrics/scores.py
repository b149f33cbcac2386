"""Dice, Jaccard, HD95 and ASD of one case, per class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import ClassMap, Mask, SpacingMm

METRICS = ("dice", "jaccard", "hd95_mm", "asd_mm")


@dataclass(frozen=True, eq=False)
class Scores:
    """One case's scores; each array holds one number per foreground class, class 1 first.

    NaN says that there was nothing to measure: neither truth nor prediction has the class.

    Attributes:
        dice: 0…1.
        jaccard: 0…1.
        hd95_mm: 95th percentile Hausdorff distance, the larger of both directions.
        asd_mm: symmetric average surface distance.
    """

    dice: NDArray[np.float64]
    jaccard: NDArray[np.float64]
    hd95_mm: NDArray[np.float64]
    asd_mm: NDArray[np.float64]

    def of(self, metric: str) -> NDArray[np.float64]:
        """The array of one of ``METRICS``."""
        return {name: getattr(self, name) for name in METRICS}[metric]

    def mean(self, metric: str) -> float:
        """Mean over the classes that could be measured; NaN if none could."""
        values = self.of(metric)
        measured = values[np.isfinite(values)]
        return float(measured.mean()) if measured.size else float("nan")


def segmentation_scores(
    prediction: ClassMap, truth: ClassMap, *, spacing_mm: SpacingMm, class_count: int
) -> Scores:
    """Scores of a whole volume on its own grid, no crop around the truth.

    Empty cases, per class: both empty gives NaN, which summaries leave out and count; exactly one
    empty gives Dice and Jaccard 0 and the image's diagonal in the distances.

    Args:
        prediction: ``(I, J, K)`` class indices.
        truth: ``(I, J, K)`` class indices.
        spacing_mm: voxel spacing along the stored axes.
        class_count: classes including background.

    Raises:
        InputError: the shapes differ.
    """
    if prediction.shape != truth.shape:
        msg = f"The prediction has shape {prediction.shape} but the truth {truth.shape}."
        raise InputError(msg)
    diagonal_mm = float(np.linalg.norm(np.asarray(truth.shape) * np.asarray(spacing_mm)))
    rows = np.array(
        [
            _class_scores(prediction == index, truth == index, spacing_mm, diagonal_mm)
            for index in range(1, class_count)
        ]
    ).reshape(-1, len(METRICS))
    return Scores(*rows.T)


def _class_scores(
    prediction: Mask, truth: Mask, spacing_mm: SpacingMm, diagonal_mm: float
) -> tuple[float, float, float, float]:
    """Dice, Jaccard, HD95 and ASD of one class; NaN where it is in neither mask."""
    if not prediction.any() and not truth.any():
        return (float("nan"),) * 4
    if not prediction.any() or not truth.any():
        return 0.0, 0.0, diagonal_mm, diagonal_mm
    # torch and MONAI take seconds to import: only those who measure pay.
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_iou,
    )

    first, second = (
        torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)
    )
    spacing = list(spacing_mm)
    dice = compute_dice(first, second)
    jaccard = compute_iou(first, second)
    hd95 = compute_hausdorff_distance(
        first, second, include_background=True, percentile=95, spacing=spacing
    )
    asd = compute_average_surface_distance(
        first, second, include_background=True, symmetric=True, spacing=spacing
    )
    return float(dice), float(jaccard), float(hd95), float(asd)
