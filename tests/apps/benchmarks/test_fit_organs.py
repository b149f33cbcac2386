from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from spss.datasets import make_phantoms, open_decathlon, split
from spss_apps.benchmarks.fit_organs import draw_cases, draw_organs, train_cases
from spss_apps.benchmarks.propagation_tasks import measured_cases


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    root = tmp_path_factory.mktemp("fit") / "Task04_Hippocampus"
    make_phantoms(root, 10, shape=(16, 20, 16), seed=3)
    return root


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """Two organs that touch along the third axis, and one too small to learn from."""
    root = tmp_path_factory.mktemp("atlas")
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[10:20, 10:20, 5:20] = 7
    labels[10:20, 10:20, 20:35] = 9
    labels[35:37, 35:37, 35:37] = 3
    image = np.random.default_rng(0).normal(labels, 0.3).astype(np.float32)
    for name, values in (("image", image), ("labels", labels)):
        nib.save(nib.Nifti1Image(values, np.eye(4)), root / f"{name}.nii.gz")
    return root / "image.nii.gz", root / "labels.nii.gz"


@pytest.mark.parametrize("set_name", ["hippocampus", "acdc"])
def test_nothing_that_is_measured_or_tested_on_is_fitted_on(phantoms, set_name, monkeypatch):
    monkeypatch.setattr("spss_apps.benchmarks.propagation_tasks.HIPPOCAMPUS_VOLUMES", 4)
    dataset = open_decathlon(phantoms)
    names = {case.name for case in train_cases(phantoms, set_name)}
    parts = split(dataset)
    measured = {case.name for case in measured_cases(dataset, set_name)}
    assert names == set(parts["train"]) - measured
    assert names
    assert measured


def test_planes_of_cases_take_the_axes_in_turn_and_show_the_organ(phantoms):
    cases = open_decathlon(phantoms).cases
    drawn = list(draw_cases(cases, (0, 2), 4, np.random.default_rng(0)))
    assert [each.plane.axis for each in drawn] == [0, 2, 0, 2]
    assert all(each.classes[each.plane.slices].any() for each in drawn)


def test_organs_of_an_atlas_come_one_by_one_or_with_what_touches_them(atlas):
    drawn = list(draw_organs(*atlas, 24, np.random.default_rng(0)))
    counts = [int(each.classes.max()) for each in drawn]
    assert {1, 2} == set(counts)
    sizes = {int((each.classes == 1).sum()) for each in drawn}
    assert sizes == {1500}, "organs too small to learn from are left out, others are whole"
    assert all((each.classes[each.plane.slices] == 1).any() for each in drawn)
