"""How much the published model's prediction of each plane is worth asking about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spss.errors import InputError
from spss.suggestion.contour import contour_mm
from spss.suggestion.gain import expected_gain
from spss.suggestion.plane_scores import AxisScores, PlaneScores
from spss.suggestion.trust import expected_error, untrusted_share
from spss.types import ClassMap, Probabilities, ScalarMap, SpacingMm

BAND_VOXELS = 2
"""Voxels around a predicted class that still count as its surroundings."""

THICK_SLICE = 2.0
"""Spacing along an axis, relative to the finest, above which its slices are called thick."""


def score_planes(
    classes: ClassMap,
    uncertainty: ScalarMap | None = None,
    *,
    spacing_mm: SpacingMm,
    class_count: int,
    probabilities: Probabilities | None = None,
    draft: ClassMap | None = None,
) -> PlaneScores:
    """Scores every plane of every axis from a prediction.

    A plane's score is the mean over the foreground classes on it of their expected error (see
    `expected_error`), plus the share of foreground on which draft and prediction differ. Each class
    counts alike, so a small structure is not outvoted by a large one: the class stratification of
    ClaSP-PE (arXiv:2601.13677, section 3.1) applied to planes. Summed entropy itself would not do:
    it grows with the plane's foreground, whose Dice is the better the larger it is.

    Args:
        classes: ``(I, J, K)`` uint8, the prediction.
        uncertainty: ``(I, J, K)`` entropy divided by log(class count), 0…1; needed without
            ``probabilities``.
        spacing_mm: millimetres between voxels along each axis.
        class_count: classes including background.
        probabilities: ``(C, I, J, K)``; the entropy is taken from them when no ``uncertainty``.
        draft: ``(I, J, K)`` what propagation made of the volume's annotated planes, if any.

    Raises:
        InputError: shapes differ, or neither ``uncertainty`` nor ``probabilities`` is given.
    """
    entropy = _entropy(classes, uncertainty, probabilities)
    per_class = [
        _class_tables(classes == value, entropy, spacing_mm, class_count)
        for value in range(1, class_count)
    ]
    differ = _disagreement(classes, draft)
    band = _surroundings(classes > 0, spacing_mm)
    cost_mm = contour_mm(classes, spacing_mm)
    distrust = untrusted_share(classes, entropy, band, class_count=class_count)
    error = expected_error(classes > 0, entropy, band, class_count=class_count)
    columns = [
        _class_scores([tables[axis] for tables in per_class], differ[axis]) for axis in range(3)
    ]
    gain = expected_gain(classes, [each["score"] for each in columns], class_count=class_count)
    first, second, third = (
        AxisScores(
            **columns[axis],
            gain=gain[axis],
            disagreement=differ[axis].astype(np.float32),
            untrusted=distrust[axis],
            expected_error=error[axis],
            contour_mm=cost_mm[axis],
        )
        for axis in range(3)
    )
    return PlaneScores((first, second, third))


def _entropy(
    classes: ClassMap, uncertainty: ScalarMap | None, probabilities: Probabilities | None
) -> NDArray[np.float32]:
    """The given map, or the entropy of the probabilities; 0 to 1 either way."""
    if uncertainty is None:
        if probabilities is None:
            msg = "Scoring planes needs the prediction's uncertainty map or its probabilities."
            raise InputError(msg)
        clipped = np.clip(probabilities, 1e-7, 1.0)
        log_count = np.log(max(len(probabilities), 2))
        uncertainty = (-(clipped * np.log(clipped)).sum(axis=0) / log_count).astype(np.float32)
    if uncertainty.shape != classes.shape:
        msg = (
            f"The uncertainty map has shape {uncertainty.shape}, the prediction {classes.shape}: "
            "both must lie on the image's grid."
        )
        raise InputError(msg)
    return np.clip(np.nan_to_num(uncertainty, nan=0.0), 0.0, 1.0).astype(np.float32)


def _class_tables(
    predicted: NDArray[np.bool_], entropy: NDArray[np.float32], spacing_mm: SpacingMm, count: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Per axis: expected error of one class and mean entropy in its band; NaN and 0 outside it."""
    tables = [(np.full(size, np.nan), np.zeros(size)) for size in predicted.shape]
    box = ndimage.find_objects(predicted.astype(np.uint8))
    if not box:
        return tables
    crop = tuple(
        slice(max(part.start - BAND_VOXELS, 0), min(part.stop + BAND_VOXELS, size))
        for part, size in zip(box[0], predicted.shape, strict=True)
    )
    inside, doubt = predicted[crop], entropy[crop]
    band = _surroundings(inside, spacing_mm)
    errors = expected_error(inside, doubt, band, class_count=count)
    for axis, (error, mean) in enumerate(tables):
        others = tuple(other for other in range(3) if other != axis)
        area = band.sum(axis=others)
        total = np.where(band, doubt, 0.0).sum(axis=others, dtype=np.float64)
        error[crop[axis]] = np.where(area > 0, errors[axis], np.nan)
        mean[crop[axis]] = total / np.maximum(area, 1)
    return tables


def _surroundings(inside: NDArray[np.bool_], spacing_mm: SpacingMm) -> NDArray[np.bool_]:
    return ndimage.binary_dilation(inside, _neighbours(spacing_mm), iterations=BAND_VOXELS)


def _neighbours(spacing_mm: SpacingMm) -> NDArray[np.bool_]:
    """Face neighbours, without those across thick slices: 9 mm away is not "around"."""
    structure = ndimage.generate_binary_structure(3, 1)
    for axis, size_mm in enumerate(spacing_mm):
        if size_mm > THICK_SLICE * min(spacing_mm):
            structure[_end(axis, 0)] = structure[_end(axis, 2)] = False
    return structure


def _end(axis: int, index: int) -> tuple[int | slice, ...]:
    return tuple(index if other == axis else slice(None) for other in range(3))


def _disagreement(classes: ClassMap, draft: ClassMap | None) -> list[NDArray[np.float64]]:
    """Per axis and plane, the share of the united foreground on which the two maps differ."""
    if draft is None:
        return [np.zeros(size) for size in classes.shape]
    if draft.shape != classes.shape:
        msg = f"The draft has shape {draft.shape}, the prediction {classes.shape}."
        raise InputError(msg)
    foreground = (classes > 0) | (draft > 0)
    differ = classes != draft
    shares = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        united = foreground.sum(axis=others)
        typical = united[united > 0].mean() if united.any() else 1.0
        shares.append(np.minimum(differ.sum(axis=others) / np.maximum(united, typical), 1.0))
    return shares


def _class_scores(
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    disagreement: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """The columns that look at one class after the other."""
    if not tables:
        msg = "Scoring planes needs at least one foreground class."
        raise InputError(msg)
    error = np.stack([table[0] for table in tables])
    mean = np.stack([table[1] for table in tables])
    present = np.isfinite(error)
    error = np.where(present, error, 0.0)
    least_certain = np.where(error.any(axis=0), error.argmax(axis=0) + 1, 0)
    entropy = mean[np.maximum(least_certain, 1) - 1, np.arange(mean.shape[1])]
    score = error.sum(axis=0) / np.maximum(present.sum(axis=0), 1) + disagreement
    return {
        "score": score.astype(np.float32),
        "entropy": entropy.astype(np.float32),
        "least_certain": least_certain.astype(np.uint8),
    }
