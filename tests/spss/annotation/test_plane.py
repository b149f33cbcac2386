"""Planes of voxels, their anatomical names and their place in the patient."""

import itertools

import numpy as np
import pytest

from spss.annotation import Plane
from spss.errors import InputError


def _orientations():
    for permutation in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = 0
            for voxel_axis, patient_axis in enumerate(permutation):
                affine[patient_axis, voxel_axis] = signs[voxel_axis] * (voxel_axis + 1)
            yield permutation, affine


@pytest.mark.parametrize(("permutation", "affine"), list(_orientations()))
def test_anatomical_name_follows_the_orientation(permutation, affine):
    names = ["sagittal", "coronal", "axial"]
    found = [Plane(axis, 0).anatomical_name(affine) for axis in range(3)]
    assert found == [names[patient_axis] for patient_axis in permutation]


def test_normal_of_an_oblique_plane_is_perpendicular_to_its_edges():
    affine = np.eye(4)
    affine[:3, :3] = [[0.9, -0.3, 0.2], [0.3, 1.1, 0.0], [0.1, 0.2, 2.5]]
    for axis in range(3):
        normal = np.asarray(Plane(axis, 0).normal_ras(affine))
        edges = np.delete(affine[:3, :3], axis, axis=1)
        assert np.allclose(normal @ edges, 0)
        assert normal @ affine[:3, axis] > 0
        assert np.isclose(np.linalg.norm(normal), 1)


def test_centre_lies_on_the_plane():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [10, 20, 30]
    assert Plane(2, 5).centre_ras_mm(affine, (11, 21, 31)) == (20.0, 50.0, 50.0)


@pytest.mark.parametrize("plane", [Plane(3, 0), Plane(-1, 0), Plane(0, 10), Plane(0, -1)])
def test_a_plane_outside_is_refused(plane):
    with pytest.raises(InputError):
        plane.check((10, 10, 10))
