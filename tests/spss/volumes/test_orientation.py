"""One orientation for all work, and the exact way back, for every way a scanner stores axes."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spss.volumes import from_canonical, to_canonical
from spss.volumes.orientation import axis_codes, canonical_axes

ORIENTATIONS = [
    (order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def affine_of(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * (1.0, 2.0, 3.5)[axis]
    affine[:3, 3] = [5, -7, 11]
    return affine


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_each_of_the_48_orientations_comes_out_ras_and_returns_exactly(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = affine_of(order, signs)
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    canonical, canonical_affine = to_canonical(array, affine)
    assert axis_codes(canonical_affine) == ("R", "A", "S")
    np.testing.assert_array_equal(from_canonical(canonical, affine), array)
    becomes = canonical_axes(affine)
    assert [canonical.shape[axis] for axis in becomes] == list(array.shape)


rotations = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
shapes = st.tuples(*[st.integers(1, 6)] * 3)
spacings = st.tuples(*[st.floats(0.2, 12)] * 3)


@settings(max_examples=150, deadline=None)
@given(rotations, shapes, spacings, st.integers(0, 2))
def test_every_voxel_keeps_its_place_in_the_patient(
    angles: tuple[float, ...], shape: tuple[int, ...], spacing: tuple[float, ...], leading: int
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles).as_matrix() @ np.diag(spacing)
    affine[:3, 3] = [40, -30, 20]
    channels = (2, 3)[:leading]
    array = np.arange(np.prod((*channels, *shape))).reshape(*channels, *shape)
    canonical, canonical_affine = to_canonical(array, affine)
    np.testing.assert_array_equal(from_canonical(canonical, affine), array)
    first_channel = (0,) * leading
    for voxel in np.ndindex(*shape):
        place = affine @ [*voxel, 1]
        there = np.rint(np.linalg.solve(canonical_affine, place))[:3].astype(int)
        np.testing.assert_allclose(canonical_affine @ [*there, 1], place, atol=1e-6)
        assert canonical[(*first_channel, *there)] == array[(*first_channel, *voxel)]
