"""Which planes of a submitted label map did a person look at?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spss.annotation import Plane, find_planes

SHAPE = (32, 28, 30)


def _ball(shape=SHAPE, radius=9, centre=None):
    centre = centre or [size / 2 for size in shape]
    grid = np.ogrid[tuple(slice(size) for size in shape)]
    distance = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
    return (distance <= radius**2).astype(np.uint8)


def _only(label, planes):
    kept = np.zeros_like(label)
    for plane in planes:
        kept[plane.slices] = label[plane.slices]
    return kept


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_drawn_plane_is_found(axis):
    plane = Plane(axis, 14)
    assert find_planes(_only(_ball(), [plane])) == (plane,)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("indices", [(8, 14, 20), (13, 14, 15), (7, 9, 11, 13, 15, 17, 19)])
def test_several_planes_of_one_direction_are_found(axis, indices):
    planes = tuple(Plane(axis, index) for index in indices)
    assert find_planes(_only(_ball(), planes)) == planes


def test_planes_of_two_directions_in_one_submit_are_found():
    planes = (Plane(0, 15), Plane(2, 14))
    assert find_planes(_only(_ball(), planes)) == planes


def test_a_solid_structure_is_dense():
    assert find_planes(_ball()) is None


def test_two_organs_with_a_gap_between_them_are_dense():
    kidneys = np.maximum(_ball(radius=6, centre=(8, 14, 15)), _ball(radius=6, centre=(24, 14, 15)))
    assert find_planes(kidneys) is None


def test_a_dense_label_of_a_thin_stack_is_dense():
    heart = np.zeros((40, 40, 10), np.uint8)
    heart[8:30, 10:32, 2:8] = 1
    assert find_planes(heart) is None


def test_one_slice_of_a_thin_stack_is_a_plane():
    heart = np.zeros((40, 40, 10), np.uint8)
    heart[8:30, 10:32, 4] = 1
    assert find_planes(heart) == (Plane(2, 4),)


def test_a_one_slice_volume_is_one_plane():
    label = np.zeros((20, 20, 1), np.uint8)
    label[5:15, 5:15, 0] = 1
    assert find_planes(label) == (Plane(2, 0),)


def test_an_empty_label_means_only_the_plane_that_was_asked_for():
    empty = np.zeros(SHAPE, np.uint8)
    assert find_planes(empty) == ()
    assert find_planes(empty, asked=Plane(1, 3)) == (Plane(1, 3),)


def test_without_a_draft_an_empty_plane_among_drawn_ones_was_not_looked_at():
    drawn = _only(_ball(), [Plane(2, 10)])
    assert find_planes(drawn, asked=Plane(2, 3)) == (Plane(2, 10),)


def test_with_a_draft_the_asked_plane_counts_though_only_others_were_corrected():
    draft = _ball()
    corrected = draft.copy()
    corrected[10:20, 10:20, 14] = 2
    assert find_planes(corrected, draft=draft, asked=Plane(2, 9)) == (Plane(2, 9), Plane(2, 14))


def test_a_plane_of_another_direction_does_not_confirm_the_asked_one():
    draft = _ball()
    corrected = draft.copy()
    corrected[15] = 2
    assert find_planes(corrected, draft=draft, asked=Plane(2, 3)) == (Plane(0, 15),)


def test_a_plane_drawn_without_loading_the_draft_is_that_plane_alone():
    drawn = _only(_ball(), [Plane(2, 14)])
    assert find_planes(drawn, draft=_ball(radius=8), asked=Plane(2, 14)) == (Plane(2, 14),)


def test_clearing_a_whole_draft_says_nothing_about_the_other_planes():
    empty = np.zeros(SHAPE, np.uint8)
    assert find_planes(empty, draft=_ball(), asked=Plane(2, 9)) == (Plane(2, 9),)


def test_a_small_drawing_is_read_along_the_asked_direction():
    label = np.zeros(SHAPE, np.uint8)
    label[10:12, 5:10, 14:17] = 1  # fewest planes along axis 0
    asked = Plane(2, 15)
    assert find_planes(label, asked=asked) == tuple(Plane(2, k) for k in (14, 15, 16))


def test_a_solid_label_is_dense_even_if_a_plane_was_asked_for():
    assert find_planes(_ball(), asked=Plane(2, 3)) is None


def test_correcting_one_plane_of_a_dense_draft_annotates_that_plane():
    draft = _ball()
    corrected = draft.copy()
    corrected[10:20, 10:20, 14] = 2
    assert find_planes(corrected, draft=draft) == (Plane(2, 14),)


def test_erasing_in_a_draft_annotates_the_plane():
    draft = _ball()
    corrected = draft.copy()
    corrected[15] = 0
    assert find_planes(corrected, draft=draft) == (Plane(0, 15),)


def test_corrections_everywhere_count_along_the_asked_direction():
    draft = _ball()
    corrected = _ball(radius=10)
    planes = find_planes(corrected, draft=draft, asked=Plane(1, 2))
    assert planes is not None
    assert {plane.axis for plane in planes} == {1}
    assert Plane(1, 2) in planes
    assert len(planes) == 1 + 21


def test_an_untouched_draft_confirms_only_the_asked_plane():
    draft = _ball()
    assert find_planes(draft.copy(), draft=draft, asked=Plane(2, 9)) == (Plane(2, 9),)
    assert find_planes(draft.copy(), draft=draft) == ()


@settings(deadline=None, max_examples=60)
@given(
    axis=st.integers(0, 2),
    indices=st.sets(st.integers(0, 23), min_size=1, max_size=8),
    seed=st.integers(0, 2**16),
)
def test_large_drawings_on_separate_planes_are_always_found_exactly(axis, indices, seed):
    indices = {index for index in indices if index - 1 not in indices}
    planes = tuple(Plane(axis, index) for index in sorted(indices))
    texture = np.random.default_rng(seed).integers(1, 3, (24, 24, 24)).astype(np.uint8)
    assert find_planes(_only(texture, planes)) == planes
