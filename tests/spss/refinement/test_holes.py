import numpy as np
import pytest

from spss.errors import InputError
from spss.refinement import fill_holes


def test_background_enclosed_by_a_class_becomes_that_class() -> None:
    classes = np.zeros((9, 9, 9), np.uint8)
    classes[1:8, 1:8, 1:8] = 2
    classes[3:6, 3:6, 3:6] = 0
    filled = fill_holes(classes, class_count=3)
    assert (filled[1:8, 1:8, 1:8] == 2).all()
    assert filled.sum() == 2 * 7**3


def test_another_class_inside_survives_and_the_input_is_untouched() -> None:
    classes = np.zeros((9, 9, 9), np.uint8)
    classes[1:8, 1:8, 1:8] = 2
    classes[2:7, 2:7, 2:7] = 1
    classes[4, 4, 4] = 0
    before = classes.copy()
    filled = fill_holes(classes, class_count=3)
    assert filled[4, 4, 4] == 1
    assert (filled[2:7, 2:7, 2:7] == 1).all()
    assert (filled[1, 1:8, 1:8] == 2).all()
    np.testing.assert_array_equal(classes, before)


def test_an_open_cup_is_no_hole() -> None:
    classes = np.zeros((7, 7, 7), np.uint8)
    classes[1:6, 1:6, 1:6] = 1
    classes[2:5, 2:5, 2:7] = 0
    np.testing.assert_array_equal(fill_holes(classes, class_count=2), classes)


def test_a_plane_is_refused() -> None:
    with pytest.raises(InputError, match="3-D class map"):
        fill_holes(np.zeros((4, 4), np.uint8), class_count=2)
