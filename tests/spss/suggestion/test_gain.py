"""Planes that look like many uncertain ones are worth most."""

import numpy as np
import pytest

from spss.suggestion.gain import MOST_PIXELS, expected_gain


def _cone(length: int = 12, size: int = 16) -> np.ndarray:
    """Class 1, broad at plane 0 of axis 0 and thin at the last but one, which has nothing."""
    classes = np.zeros((length, size, size), np.uint8)
    for index in range(length - 1):
        radius = max(1, (size // 2) * (length - index) // length)
        middle = size // 2
        classes[index, middle - radius : middle + radius, middle - radius : middle + radius] = 1
    return classes


def _errors(classes: np.ndarray, value: float = 1.0) -> list[np.ndarray]:
    return [np.full(size, value, np.float32) for size in classes.shape]


def test_a_plane_alike_to_all_others_mends_everything() -> None:
    bar = np.zeros((10, 8, 8), np.uint8)
    bar[2:8, 2:6, 2:6] = 1
    gain = expected_gain(bar, _errors(bar, 0.3), class_count=2)
    np.testing.assert_allclose(gain[0][2:8], 0.3, rtol=1e-6)
    assert not gain[0][:2].any()
    assert not gain[0][8:].any()
    assert [len(each) for each in gain] == [10, 8, 8]


def test_middle_planes_mend_more_than_the_ends() -> None:
    gain = expected_gain(_cone(), _errors(_cone()), class_count=2)[0]
    assert 2 < gain.argmax() < 8
    assert gain[-2] < 0.5 * gain.max()


def test_error_draws_the_best_plane_towards_it() -> None:
    cone = _cone()
    errors = _errors(cone)
    errors[0][:4] = 0.0
    assert expected_gain(cone, errors, class_count=2)[0].argmax() > (
        expected_gain(cone, _errors(cone), class_count=2)[0].argmax()
    )


def test_a_plane_of_another_class_mends_nothing() -> None:
    classes = np.zeros((4, 6, 6), np.uint8)
    classes[:2, 1:5, 1:5] = 1
    classes[2:, 1:5, 1:5] = 2
    errors = [np.array([1.0, 1.0, 0.0, 0.0], np.float32), *_errors(classes)[1:]]
    gain = expected_gain(classes, errors, class_count=3)[0]
    assert gain[:2] == pytest.approx([0.5, 0.5])
    assert not gain[2:].any()


def test_nothing_predicted_is_worth_nothing_and_fine_planes_are_thinned() -> None:
    empty = np.zeros((3, 4, 5), np.uint8)
    assert not any(each.any() for each in expected_gain(empty, _errors(empty), class_count=2))
    side = 3 * int(MOST_PIXELS**0.5)
    fine = np.ones((2, side, side), np.uint8)
    gain = expected_gain(fine, _errors(fine), class_count=2)
    assert gain[0] == pytest.approx([1.0, 1.0])
