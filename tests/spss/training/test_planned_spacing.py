import numpy as np
import pytest

from spss.training.fingerprint import Fingerprint
from spss.training.planned_spacing import (
    CPU_COARSER,
    CPU_PATCH_VOXELS,
    coarser_factors,
    low_resolution_axis,
    plan_spacing,
)


def _fingerprint(shapes, spacings):
    return Fingerprint(np.asarray(shapes), np.asarray(spacings, float), np.zeros(1, "f4"), {})


def _factors(voxels, most=np.inf, spacing=(1.0, 1.0, 1.0), shape=(10, 10, 10)):
    return coarser_factors(_fingerprint([shape], [spacing]), np.array(spacing), voxels, most)


def test_only_what_a_cpu_cannot_bear_is_coarser_and_never_more_than_the_limit():
    assert _factors(CPU_PATCH_VOXELS)["time"] == 1
    assert _factors(CPU_PATCH_VOXELS * 1.5**3)["time"] == pytest.approx(1.5)
    assert _factors(CPU_PATCH_VOXELS * 1000)["time"] == CPU_COARSER


def test_thick_slices_are_left_as_they_are_so_the_others_give_more():
    thick = _factors(CPU_PATCH_VOXELS * 1.5**2, spacing=(1.0, 1.0, 6.0))
    assert thick["time"] == pytest.approx(1.5)


def test_the_largest_volume_must_fit_the_memory():
    assert _factors(1, most=1000)["memory"] == 1
    assert _factors(1, most=1000 / 8)["memory"] == pytest.approx(2)


def test_a_volume_with_a_wrong_header_makes_nothing_coarser():
    shapes, spacings = [(100, 100, 100), (100, 100, 100)], [(1, 1, 1), (500, 500, 500)]
    found = coarser_factors(_fingerprint(shapes, spacings), np.ones(3), 1, 1e6)
    assert found["memory"] == 1


def test_the_spacing_is_the_median_and_finer_where_slices_are_thick():
    assert plan_spacing(np.array([(1, 1, 1), (1, 1, 2), (1, 1, 3)], float)).tolist() == [1, 1, 2]
    thick = np.array([(1, 1, 5)] + [(1, 1, 8)] * 9, float)
    assert plan_spacing(thick)[2] == pytest.approx(np.percentile(thick[:, 2], 10))
    assert low_resolution_axis(np.array([1.0, 1.0, 5.0])) == 2
    assert low_resolution_axis(np.array([1.0, 1.0, 2.9])) is None
