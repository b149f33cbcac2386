from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError, NotReadyError
from spss.propagation import list_propagators, propagate


def _ellipsoid(shape=(20, 24, 22), centre=(10, 12, 11), radii=(6, 7, 6)):
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    return (((grid - np.array(centre)) / np.array(radii)) ** 2).sum(-1) < 1


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    label = _ellipsoid().astype(np.uint8)
    label[_ellipsoid(radii=(4, 4, 3))] = 2
    image = (label * 100 + rng.normal(0, 4, label.shape)).astype(np.float32)
    return image, label


@pytest.mark.parametrize("propagator", list_propagators())
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_annotated_planes_come_back_exactly_as_drawn(case, propagator, axis):
    image, label = case
    planes = [Plane(axis, 9), Plane(axis, 13)]
    sparse = SparseLabel.from_planes(label, planes)

    result = propagate(
        image, sparse, spacing_mm=(1, 1, 2), class_count=3, propagator=propagator, threads=1
    )

    for plane in planes:
        np.testing.assert_array_equal(result.classes[plane.slices], label[plane.slices])
        assert (result.reliability[plane.slices] == 1).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1, atol=1e-4)
    assert result.probabilities.dtype == np.float32
    assert 0 <= result.reliability.min() <= result.reliability.max() <= 1


def test_label_on_another_grid_is_named(case):
    image, _ = case
    sparse = SparseLabel.from_planes(np.ones((4, 4, 4), np.uint8), [Plane(0, 1)])
    with pytest.raises(InputError, match="another grid"):
        propagate(image, sparse, spacing_mm=(1, 1, 1), class_count=2)


def test_nothing_drawn_yet_is_not_ready(case):
    image, label = case
    with pytest.raises(NotReadyError, match="draw one plane"):
        propagate(image, SparseLabel.empty(label.shape), spacing_mm=(1, 1, 1), class_count=3)


def test_only_empty_planes_is_an_error_that_names_them(case):
    image, label = case
    sparse = SparseLabel.from_planes(label, [Plane(0, 0), Plane(1, 1)])
    with pytest.raises(InputError, match="axis 0 index 0, axis 1 index 1"):
        propagate(image, sparse, spacing_mm=(1, 1, 1), class_count=3)
