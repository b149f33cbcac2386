import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spss.errors import InputError
from spss.training.resample import (
    resample_blocks,
    resample_classes,
    resample_linear,
    resampled_shape,
    smooth_for,
)
from spss.types import UNDECIDED


def _plane(shape, axis, index, value=1):
    classes = np.full(shape, UNDECIDED, np.uint8)
    classes[tuple(index if other == axis else slice(None) for other in range(3))] = value
    return classes


@settings(max_examples=60, deadline=None)
@given(
    axis=st.integers(0, 2),
    place=st.floats(0, 0.999),
    shape=st.tuples(*[st.integers(3, 20)] * 3),
    target=st.tuples(*[st.integers(3, 30)] * 3),
)
def test_an_annotated_plane_survives_any_change_of_grid(axis, place, shape, target):
    classes = _plane(shape, axis, int(place * shape[axis]))
    result = resample_classes(classes, target)
    assert result.shape == target
    decided = result != UNDECIDED
    across = decided.any(axis=tuple(other for other in range(3) if other != axis))
    assert across.any()
    for plane in np.nonzero(across)[0]:
        assert np.take(decided, plane, axis=axis).all()


def test_every_annotated_plane_keeps_its_own_classes_when_slices_get_coarser():
    classes = _plane((12, 8, 8), 0, 2, value=1)
    classes[9] = 2
    result = resample_classes(classes, (4, 8, 8))
    assert set(np.unique(result[0])) == {1}
    assert set(np.unique(result[3])) == {2}


def test_a_coarse_voxel_takes_the_majority_of_its_annotated_voxels():
    classes = np.full((4, 4, 4), UNDECIDED, np.uint8)
    classes[:2, :2, 0] = [[1, 2], [2, 2]]
    assert resample_classes(classes, (2, 2, 2))[0, 0, 0] == 2


def test_the_same_shape_changes_nothing():
    classes = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype(np.uint8)
    assert np.array_equal(resample_classes(classes, (5, 6, 7)), classes)
    image = classes.astype(np.float32)
    assert np.array_equal(resample_linear(image, (5, 6, 7)), image)


def test_linear_interpolation_keeps_a_ramp_straight():
    ramp = np.broadcast_to(np.arange(10, dtype=np.float32)[:, None, None], (10, 3, 3))
    fine = resample_linear(ramp, (20, 3, 3))[1:-1, 1, 1]
    assert np.allclose(np.diff(fine), 0.5, atol=1e-5)


def test_smoothing_comes_before_losing_voxels_only():
    noise = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    assert smooth_for(noise, (8, 24, 24)).std() < 0.9 * noise.std()
    assert smooth_for(noise, (48, 24, 24)) is noise


def test_a_map_without_annotation_stays_without():
    nothing = np.full((6, 6, 6), UNDECIDED, np.uint8)
    assert (resample_classes(nothing, (3, 9, 6)) == UNDECIDED).all()


@pytest.mark.parametrize(
    ("spacing", "expected"), [((2, 2, 2), (20, 20, 20)), ((0.1, 1, 1), (1, 10, 10))]
)
def test_the_new_shape_covers_the_same_millimetres(spacing, expected):
    assert resampled_shape((10, 10, 10), spacing, (1, 1, 1)) == expected


def test_a_volume_that_would_fill_the_memory_is_refused_with_both_spacings():
    with pytest.raises(InputError, match=r"spacing of 50 x 50 x 50 mm .* planned 1 x 1 x 1 mm"):
        resampled_shape((16, 16, 16), (50, 50, 50), (1, 1, 1))
    assert resampled_shape((512, 512, 60), (0.7, 0.7, 5), (0.7, 0.7, 0.7))[2] == 429


@pytest.mark.parametrize(("size", "factor"), [(12, 3), (13, 3), (7, 8)])
def test_means_of_blocks_are_put_back_where_their_voxels_were(size, factor):
    ramp = np.arange(size, dtype=np.float32)
    starts = np.arange(0, size, factor)
    means = np.add.reduceat(ramp, starts) / np.minimum(factor, size - starts)
    back = resample_blocks(means.astype(np.float32), 0, factor=factor, source_size=size, size=size)
    inside = slice(factor // 2, (size // factor) * factor - factor // 2)
    assert back.shape == (size,)
    np.testing.assert_allclose(back[inside], ramp[inside], atol=1e-5)


@pytest.mark.parametrize("target", [(5, 6, 7), (9, 20, 4), (1, 3, 30), (18, 7, 5)])
def test_counting_slab_by_slab_changes_no_vote(monkeypatch, target):
    rng = np.random.default_rng(0)
    classes = rng.choice(np.array([0, 1, 2, UNDECIDED], np.uint8), (17, 13, 11))
    whole = resample_classes(classes, target)
    monkeypatch.setattr("spss.training.resample._VOTES_AT_ONCE", 2 * 13 * 11)
    assert np.array_equal(resample_classes(classes, target), whole)
