"""How much the published model's prediction of each plane is worth asking about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spss.errors import InputError
from spss.types import ClassMap, Probabilities, ScalarMap, SpacingMm

BAND_VOXELS = 2
"""Voxels around a predicted class that still count as its surroundings."""

THICK_SLICE = 2.0
"""Spacing along an axis, relative to the finest, above which its slices are called thick."""

DECIMALS = 4


@dataclass(frozen=True)
class AxisScores:
    """One number a plane, for the planes of one axis; all arrays are ``(planes,)``.

    Attributes:
        score: float32, what strategies rank by.
        entropy: float32 in [0, 1], mean entropy in and around the plane's least certain class.
        least_certain: uint8, that class; 0 where nothing is predicted on the plane.
        disagreement: float32 in [0, 1], share of the foreground of draft and prediction on which
            the two differ; 0 without a draft.
    """

    score: NDArray[np.float32]
    entropy: NDArray[np.float32]
    least_certain: NDArray[np.uint8]
    disagreement: NDArray[np.float32]


@dataclass(frozen=True)
class PlaneScores:
    """Scores of every plane of one volume, by voxel axis 0, 1, 2."""

    axes: tuple[AxisScores, AxisScores, AxisScores]

    def best(self) -> float:
        """The volume's largest score along any axis."""
        return max(float(scores.score.max(initial=0.0)) for scores in self.axes)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads: axis → name → list."""
        return {
            str(axis): {
                "score": _rounded(scores.score),
                "entropy": _rounded(scores.entropy),
                "least_certain": scores.least_certain.tolist(),
                "disagreement": _rounded(scores.disagreement),
            }
            for axis, scores in enumerate(self.axes)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlaneScores:
        """Raises InputError if ``data`` is not what `to_json` wrote."""
        try:
            first, second, third = (_axis_from_json(data[str(axis)]) for axis in range(3))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"Not a table of plane scores ({error!r}): delete it and it is computed anew."
            raise InputError(msg) from error
        return cls((first, second, third))


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

    A plane's score is the mean over foreground classes of the class's uncertain area on the plane
    (entropy summed over the class and its surroundings) as a share of their largest area on any
    plane, plus the share of foreground on which draft and prediction differ. Each
    class counts alike, so a small structure is not outvoted by a large one: the class
    stratification of ClaSP-PE (arXiv:2601.13677, section 3.1) applied to planes.

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
        _class_tables(classes == value, entropy, spacing_mm) for value in range(1, class_count)
    ]
    differ = _disagreement(classes, draft)
    first, second, third = (
        _axis_scores([tables[axis] for tables in per_class], differ[axis]) for axis in range(3)
    )
    return PlaneScores((first, second, third))


def _entropy(
    classes: ClassMap, uncertainty: ScalarMap | None, probabilities: Probabilities | None
) -> NDArray[np.float32]:
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
    predicted: NDArray[np.bool_], entropy: NDArray[np.float32], spacing_mm: SpacingMm
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Per axis: uncertain area relative to the band's largest, and mean entropy in the band."""
    shape = predicted.shape
    tables = [(np.zeros(size), np.zeros(size)) for size in shape]
    box = ndimage.find_objects(predicted.astype(np.uint8))
    if not box:
        return tables
    crop = tuple(
        slice(max(part.start - BAND_VOXELS, 0), min(part.stop + BAND_VOXELS, size))
        for part, size in zip(box[0], shape, strict=True)
    )
    inside = predicted[crop]
    band = ndimage.binary_dilation(inside, _neighbours(spacing_mm), iterations=BAND_VOXELS)
    uncertain = np.where(band, entropy[crop], 0.0)
    for axis, (relative, mean) in enumerate(tables):
        others = tuple(other for other in range(3) if other != axis)
        area = band.sum(axis=others)
        total = uncertain.sum(axis=others, dtype=np.float64)
        relative[crop[axis]] = total / area.max()
        mean[crop[axis]] = total / np.maximum(area, 1)
    return tables


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


def _axis_scores(
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    disagreement: NDArray[np.float64],
) -> AxisScores:
    if not tables:
        msg = "Scoring planes needs at least one foreground class."
        raise InputError(msg)
    relative = np.stack([table[0] for table in tables])
    mean = np.stack([table[1] for table in tables])
    least_certain = np.where(relative.any(axis=0), relative.argmax(axis=0) + 1, 0)
    entropy = mean[np.maximum(least_certain, 1) - 1, np.arange(mean.shape[1])]
    return AxisScores(
        score=(relative.mean(axis=0) + disagreement).astype(np.float32),
        entropy=entropy.astype(np.float32),
        least_certain=least_certain.astype(np.uint8),
        disagreement=disagreement.astype(np.float32),
    )


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]


def _axis_from_json(data: Mapping[str, Any]) -> AxisScores:
    scores = AxisScores(
        score=np.asarray(data["score"], np.float32),
        entropy=np.asarray(data["entropy"], np.float32),
        least_certain=np.asarray(data["least_certain"], np.uint8),
        disagreement=np.asarray(data["disagreement"], np.float32),
    )
    lengths = {len(getattr(scores, name)) for name in scores.__dataclass_fields__}
    if len(lengths) != 1:
        msg = f"arrays of different lengths {sorted(lengths)}"
        raise ValueError(msg)
    return scores
