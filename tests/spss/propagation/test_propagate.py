from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError, NotReadyError
from spss.propagation import list_propagators, propagate

ONE_MM = (1.0, 1.0, 1.0)
QUICK = sorted(set(list_propagators()) - {"learned", "correspondence", "ensemble", "demons"})


def _ellipsoid(shape, centre, radii):
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    return (((grid - np.array(centre)) / np.array(radii)) ** 2).sum(-1) < 1


def _picture(label, seed=0):
    noise = np.random.default_rng(seed).normal(0, 4, label.shape)
    return (60.0 * label + noise + 20).astype(np.float32)


@pytest.fixture
def case():
    shape = (24, 26, 22)
    label = _ellipsoid(shape, (12, 13, 11), (7, 8, 7)).astype(np.uint8)
    label[_ellipsoid(shape, (12, 13, 11), (5, 5, 4))] = 2
    return _picture(label), label


def _run(image, label, *planes, class_count=3, **options):
    sparse = SparseLabel.from_planes(label, planes)
    options = {"spacing_mm": ONE_MM, "threads": 1, **options}
    return propagate(image, sparse, class_count=class_count, **options)


def _dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize("propagator", list_propagators())
def test_annotated_planes_come_back_exactly_as_drawn(case, propagator):
    image, label = case
    planes = [Plane(0, 10), Plane(0, 14)]

    result = _run(image, label, *planes, propagator=propagator, spacing_mm=(1, 1, 2))

    for plane in planes:
        np.testing.assert_array_equal(result.classes[plane.slices], label[plane.slices])
        assert (result.reliability[plane.slices] == 1).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1, atol=1e-4)
    assert result.probabilities.dtype == result.reliability.dtype == np.float32
    assert 0 <= result.reliability.min() <= result.reliability.max() <= 1
    assert _dice(result.classes > 0, label > 0) > 0.6


@pytest.mark.parametrize("propagator", QUICK)
@pytest.mark.parametrize("end_rule", ["learned", "simple", "none"])
@pytest.mark.parametrize("axis", [1, 2])
def test_every_axis_gives_the_same_answer(case, propagator, end_rule, axis):
    image, label = case
    options = {"propagator": propagator, "end_rule": end_rule}
    expected = _run(image, label, Plane(0, 11), **options)

    turned = [np.moveaxis(each, 0, axis).copy() for each in (image, label)]
    found = _run(*turned, Plane(axis, 11), **options)

    np.testing.assert_array_equal(np.moveaxis(found.classes, axis, 0), expected.classes)


@pytest.mark.parametrize("flipped", [0, 1, 2])
def test_a_flipped_image_gives_the_flipped_answer(case, flipped):
    image, label = case
    expected = _run(image, label, Plane(0, 11)).classes
    index = label.shape[0] - 1 - 11 if flipped == 0 else 11

    turned = [np.flip(each, flipped).copy() for each in (image, label)]
    found = np.flip(_run(*turned, Plane(0, index)).classes, flipped)

    for value in (1, 2):
        assert _dice(found == value, expected == value) > 0.95


def test_three_classes_and_two_components_survive():
    shape = (20, 40, 24)
    label = np.zeros(shape, np.uint8)
    label[_ellipsoid(shape, (10, 9, 12), (9, 5, 6))] = 1
    label[_ellipsoid(shape, (10, 30, 12), (9, 5, 6))] = 1
    label[_ellipsoid(shape, (10, 19, 12), (9, 4, 4))] = 2
    label[_ellipsoid(shape, (10, 9, 12), (8, 2, 3))] = 3

    found = _run(_picture(label), label, Plane(0, 10), class_count=4).classes

    for value in (1, 2, 3):
        assert _dice(found == value, label == value) > 0.8
    near = found[8] == 1
    assert near[:, :].any()
    assert near[:15].any()
    assert near[25:].any()


def test_an_organ_that_ends_inside_is_ended_within_two_slices():
    shape = (32, 28, 28)
    label = np.zeros(shape, np.uint8)
    label[9:22] = _ellipsoid((1, 28, 28), (0, 14, 14), (1, 6, 7))[0]
    found = _run(_picture(label), label, Plane(0, 15), class_count=2).classes

    area = (found > 0).sum(axis=(1, 2)) > 0.25 * label[15].sum()
    present = np.flatnonzero(area)
    assert abs(present[0] - 9) <= 2
    assert abs(present[-1] - 21) <= 2
    without = _run(_picture(label), label, Plane(0, 15), class_count=2, end_rule="none").classes
    assert without[0].any()


def test_an_empty_plane_says_that_the_organ_does_not_reach_there(case):
    image, label = case
    label = label.copy()
    label[16:] = 0  # the annotator says so, whatever the image shows
    bounded = _run(image, label, Plane(0, 11), Plane(0, 16)).classes
    assert not bounded[16:].any()
    assert bounded[12].any()


def test_planes_along_two_axes_agree_better_than_one(case):
    image, label = case
    one = _run(image, label, Plane(0, 8)).classes
    two = _run(image, label, Plane(0, 8), Plane(1, 13)).classes
    assert _dice(two > 0, label > 0) >= _dice(one > 0, label > 0)


def test_range_limits_how_far_a_plane_speaks(case):
    image, label = case
    result = _run(image, label, Plane(0, 12), range_slices=2)
    assert result.classes[10].any()
    assert result.classes[14].any()
    assert not result.classes[:10].any()
    assert not result.classes[15:].any()
    assert not result.reliability[:10].any()


def test_a_volume_of_one_slice_is_what_was_drawn():
    label = np.zeros((20, 20, 1), np.uint8)
    label[5:12, 6:13, 0] = 1
    result = _run(_picture(label), label, Plane(2, 0), class_count=2)
    np.testing.assert_array_equal(result.classes, label)


@pytest.mark.parametrize("propagator", QUICK)
def test_a_constant_image_is_no_reason_to_fail(case, propagator):
    _, label = case
    image = np.full(label.shape, 7, np.float32)
    result = _run(image, label, Plane(0, 11), propagator=propagator)
    assert np.isfinite(result.probabilities).all()
    assert result.classes[10].any()


def test_values_that_are_not_finite_are_survived(case):
    image, label = case
    image = image.copy()
    image[3, 4, 5], image[12, 13, 11] = np.nan, np.inf
    assert np.isfinite(_run(image, label, Plane(0, 11)).probabilities).all()


def test_a_dense_label_is_returned_as_it_is(case):
    image, label = case
    result = propagate(image, SparseLabel.dense(label), spacing_mm=ONE_MM, class_count=3)
    np.testing.assert_array_equal(result.classes, label)


def test_one_thread_and_two_give_the_same_answer(case):
    image, label = case
    one = _run(image, label, Plane(0, 11), threads=1)
    two = _run(image, label, Plane(0, 11), threads=2)
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_label_on_another_grid_is_named(case):
    image, _ = case
    sparse = SparseLabel.from_planes(np.ones((4, 4, 4), np.uint8), [Plane(0, 1)])
    with pytest.raises(InputError, match="another grid"):
        propagate(image, sparse, spacing_mm=ONE_MM, class_count=2)


def test_a_plane_outside_the_volume_is_named(case):
    _, label = case
    with pytest.raises(InputError, match="Plane 99 along axis 0 lies outside"):
        SparseLabel.from_planes(label, [Plane(0, 99)])


def test_nothing_drawn_yet_is_not_ready(case):
    image, label = case
    with pytest.raises(NotReadyError, match="draw one plane"):
        propagate(image, SparseLabel.empty(label.shape), spacing_mm=ONE_MM, class_count=3)


def test_only_empty_planes_is_an_error_that_names_them(case):
    image, label = case
    with pytest.raises(InputError, match="axis 0 index 0, axis 1 index 1"):
        _run(image, label, Plane(0, 0), Plane(1, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_count": 2}, "class 2, but class_count is 2"),
        ({"class_count": 1}, "counts background too"),
        ({"propagator": "teleport"}, "no propagator 'teleport'"),
        ({"end_rule": "later"}, "no end rule 'later'"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "three positive millimetre values"),
        ({"network_probabilities": np.zeros((2, 3, 3, 3), np.float32)}, "same classes"),
    ],
)
def test_bad_options_are_named(case, options, message):
    image, label = case
    with pytest.raises(InputError, match=message):
        _run(image, label, Plane(0, 11), **options)


def test_judging_needs_little_memory_beside_what_was_carried():
    label = np.zeros((320, 32, 32), np.uint8)
    label[100:220, 4:28, 4:28] = 1
    image = _picture(label)
    tracemalloc.start()
    try:
        _run(image, label, Plane(0, 160), class_count=2, propagator="copy", end_rule="simple")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # two classes carried and two fused, warped and scaled image, weight, reliability: eight maps
    assert peak < 9 * image.nbytes
