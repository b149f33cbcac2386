"""What people decided about one volume."""

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError
from spss.types import UNDECIDED

LABEL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 3


def test_only_the_named_planes_are_kept():
    sparse = SparseLabel.from_planes(LABEL, [Plane(2, 1), Plane(0, 0), Plane(2, 1)])
    assert sparse.planes == (Plane(0, 0), Plane(2, 1))
    assert sparse.annotated.sum() == 12 + 6 - 3
    assert (sparse.classes[sparse.annotated] == LABEL[sparse.annotated]).all()
    assert not sparse.classes[~sparse.annotated].any()


def test_an_empty_plane_is_an_annotation():
    sparse = SparseLabel.from_planes(np.zeros_like(LABEL), [Plane(1, 0)])
    assert not sparse.is_empty
    assert sparse.annotated.sum() == 8


def test_undecided_voxels_survive_the_round_trip():
    sparse = SparseLabel.from_planes(LABEL, [Plane(1, 2)])
    again = SparseLabel.from_undecided(sparse.with_undecided(), sparse.planes)
    assert (again.classes == sparse.classes).all()
    assert (again.annotated == sparse.annotated).all()
    assert (sparse.with_undecided()[:, :2] == UNDECIDED).all()


def test_dense_and_empty():
    assert SparseLabel.dense(LABEL).is_dense
    assert SparseLabel.empty((2, 3, 4)).is_empty


def test_shapes_must_agree():
    with pytest.raises(InputError, match="same shape"):
        SparseLabel(LABEL, np.ones((2, 3, 5), bool))
