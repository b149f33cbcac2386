import math

import numpy as np
import pytest

from spss_apps.measuring import dice_of


def test_dice_is_the_mean_over_classes_that_are_there():
    truth = np.array([1, 1, 2, 2, 0, 0], np.uint8).reshape(6, 1, 1)
    half = np.array([1, 0, 2, 2, 0, 0], np.uint8).reshape(6, 1, 1)
    assert dice_of(truth, truth, 4) == 1
    assert dice_of(half, truth, 4) == pytest.approx((2 / 3 + 1) / 2)


def test_a_class_that_is_missed_counts_zero():
    truth = np.array([1, 2], np.uint8).reshape(2, 1, 1)
    missed = np.array([1, 0], np.uint8).reshape(2, 1, 1)
    assert dice_of(missed, truth, 3) == pytest.approx(0.5)


def test_nothing_to_measure_is_not_a_number():
    empty = np.zeros((2, 2, 2), np.uint8)
    assert math.isnan(dice_of(empty, empty, 3))
