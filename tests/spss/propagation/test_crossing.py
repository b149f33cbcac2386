from __future__ import annotations

import warnings

import numpy as np
import pytest

from spss.annotation import Plane
from spss.errors import InputError
from spss.propagation import combine_planes

SHAPE = (6, 5, 4)


def test_planes_that_agree_are_put_together_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        label = combine_planes(
            SHAPE,
            [(Plane(0, 2), np.ones((5, 4), np.uint8)), (Plane(1, 3), np.ones((6, 4), np.uint8))],
        )
    assert label.planes == (Plane(0, 2), Plane(1, 3))
    assert label.annotated.sum() == 20 + 24 - 4
    assert (label.classes[label.annotated] == 1).all()


def test_a_contradiction_is_counted_and_the_later_plane_wins():
    drawn = [(Plane(0, 2), np.ones((5, 4), np.uint8)), (Plane(1, 3), np.full((6, 4), 2, np.uint8))]
    with pytest.warns(UserWarning, match=r"in 4 voxels .* Plane 3 along axis 1, drawn later, wins"):
        label = combine_planes(SHAPE, drawn)
    assert (label.classes[2, 3] == 2).all()
    assert (label.classes[2, :3] == 1).all()


def test_a_plane_drawn_again_replaces_itself():
    drawn = [(Plane(0, 2), np.ones((5, 4), np.uint8)), (Plane(0, 2), np.zeros((5, 4), np.uint8))]
    with pytest.warns(UserWarning, match="in 20 voxels"):
        label = combine_planes(SHAPE, drawn)
    assert label.planes == (Plane(0, 2),)
    assert not label.classes.any()


def test_a_plane_of_another_size_is_refused():
    with pytest.raises(InputError, match="own grid"):
        combine_planes(SHAPE, [(Plane(0, 2), np.ones((3, 4), np.uint8))])
