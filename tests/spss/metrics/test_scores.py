"""Scores against values known by geometry, and the decided empty cases."""

import numpy as np
import pytest

from spss.errors import InputError
from spss.metrics import METRICS, segmentation_scores
from spss.types import ClassMap

SPACING_MM = (1.0, 2.0, 3.0)
DIAGONAL_MM = float(np.linalg.norm(np.array([12, 10, 8]) * SPACING_MM))


def box(first: int, last: int, value: int = 1) -> ClassMap:
    label = np.zeros((12, 10, 8), np.uint8)
    label[first:last, 3:7, 2:6] = value
    return label


def scores(prediction: ClassMap, truth: ClassMap, class_count: int = 2) -> dict[str, list[float]]:
    result = segmentation_scores(prediction, truth, spacing_mm=SPACING_MM, class_count=class_count)
    return {metric: result.of(metric).tolist() for metric in METRICS}


def test_a_perfect_prediction_has_no_distance() -> None:
    found = scores(box(2, 6), box(2, 6))
    assert found == {"dice": [1], "jaccard": [1], "hd95_mm": [0], "asd_mm": [0]}


def test_overlap_is_counted_in_voxels() -> None:
    found = scores(box(2, 6), box(4, 8))
    assert found["dice"] == [pytest.approx(0.5)]
    assert found["jaccard"] == [pytest.approx(1 / 3)]


@pytest.mark.parametrize(("axis", "step_mm"), list(enumerate(SPACING_MM)))
def test_distances_are_in_millimetres_along_every_axis(axis: int, step_mm: float) -> None:
    truth = np.zeros((12, 10, 8), np.uint8)
    truth[5, 5, 4] = 1
    found = scores(np.roll(truth, 2, axis), truth)
    assert found["hd95_mm"] == [pytest.approx(2 * step_mm)]
    assert found["asd_mm"] == [pytest.approx(2 * step_mm)]


def test_hd95_takes_the_larger_direction() -> None:
    truth = np.zeros((12, 10, 8), np.uint8)
    truth[2, 5, 4] = 1
    prediction = truth.copy()
    prediction[9, 5, 4] = 1
    forward, backward = scores(prediction, truth), scores(truth, prediction)
    assert forward["hd95_mm"] == backward["hd95_mm"]
    assert forward["hd95_mm"][0] > 6


@pytest.mark.parametrize("swap", [False, True])
def test_one_empty_mask_costs_the_image_diagonal(swap: bool) -> None:
    pair = [box(2, 6), np.zeros((12, 10, 8), np.uint8)]
    found = scores(*(pair[::-1] if swap else pair))
    assert found["dice"] == found["jaccard"] == [0]
    assert found["hd95_mm"] == found["asd_mm"] == [pytest.approx(DIAGONAL_MM)]


def test_a_class_absent_from_both_is_not_measured_and_not_averaged() -> None:
    result = segmentation_scores(box(2, 6), box(2, 6), spacing_mm=SPACING_MM, class_count=3)
    assert result.dice[0] == 1
    assert np.isnan(result.dice[1])
    assert result.mean("dice") == 1


def test_classes_are_scored_apart() -> None:
    found = scores(box(2, 6, 2), box(2, 6, 2) + box(7, 9, 1), class_count=3)
    assert found["dice"] == [0, 1]


@pytest.mark.parametrize("shape", [(9, 9, 1), (1, 1, 1), (3, 3, 3)])
def test_thin_and_tiny_volumes_are_scored(shape: tuple[int, int, int]) -> None:
    full = np.ones(shape, np.uint8)
    result = segmentation_scores(full, full, spacing_mm=SPACING_MM, class_count=2)
    assert result.dice.tolist() == [1]
    assert result.hd95_mm.tolist() == [0]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        scores(box(2, 6), np.zeros((3, 3, 3), np.uint8))
