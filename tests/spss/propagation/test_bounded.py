"""A volume that is too large for the memory is carried on a coarser grid, and it is said."""

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.propagation import propagate
from spss.propagation.bounded import needed_gb, propagate_within

SPACING = (1.0, 1.0, 2.0)


@pytest.fixture
def ball():
    """An image of a bright ball, and its true label."""
    places = np.indices((32, 30, 24)) - np.array([16, 15, 12])[:, None, None, None]
    inside = (places**2).sum(axis=0) < 9**2
    noise = np.random.default_rng(0).normal(0, 5, inside.shape)
    return (100 * inside + noise).astype(np.float32), inside.astype(np.uint8)


def _within(ball, planes, memory_gb, **options):
    image, truth = ball
    label = SparseLabel.from_planes(truth, planes)
    return label, propagate_within(
        image, label, spacing_mm=SPACING, class_count=2, memory_gb=memory_gb, **options
    )


def test_what_fits_is_carried_as_ever(ball):
    label, found = _within(ball, [Plane(2, 12)], 1.0)
    usual = propagate(ball[0], label, spacing_mm=SPACING, class_count=2)
    assert (found.classes == usual.classes).all()
    assert (found.factors, found.remark) == ((1, 1, 1), "")


@pytest.mark.parametrize("planes", [[Plane(2, 11)], [Plane(0, 15), Plane(2, 11)], [Plane(1, 13)]])
def test_what_does_not_fit_is_coarser_and_drawn_voxels_stay(ball, planes):
    budget = needed_gb(ball[0].shape, 2) / 3.5
    label, found = _within(ball, planes, budget)
    assert found.classes.shape == ball[1].shape
    assert (found.classes[label.annotated] == label.classes[label.annotated]).all()
    coarse = [-(-n // f) for n, f in zip(ball[1].shape, found.factors, strict=True)]
    assert needed_gb(coarse, 2) <= budget
    overlap = 2 * ((found.classes > 0) & (ball[1] > 0)).sum()
    assert overlap / ((found.classes > 0).sum() + (ball[1] > 0).sum()) > 0.7
    assert "coarser by" in found.remark
    if len({plane.axis for plane in planes}) == 1:
        assert found.factors[planes[0].axis] == 1


def test_an_impossible_budget_ends_at_the_coarsest_grid(ball):
    _, found = _within(ball, [Plane(2, 11)], 1e-9)
    assert max(found.factors) == 8
