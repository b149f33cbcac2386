from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError
from spss.propagation.bounded import needed_gb
from spss.training import TrainingCase, make_plan
from spss.training.fingerprint import take_fingerprint
from spss.training.prepare import find_classes, prepare_cases
from spss.types import UNDECIDED
from spss.volumes import Volume, read_image, read_label, write_map


@pytest.fixture
def plan(cases):
    return make_plan(take_fingerprint(cases), memory_gb=2.0)


def _prepare(cases, plan, classes=(0, 1, 2), **options):
    options = {"class_count": 3, "with_pseudo_label": True, **options}
    return prepare_cases(cases, plan, classes, **options)


def test_annotated_volumes_get_truth_and_soft_label_and_others_only_an_image(cases, plan):
    result = _prepare(cases, plan)
    labelled, unlabelled = result.cases[0], result.cases[-1]
    assert labelled.is_labelled
    assert labelled.soft.shape == (3 + 2, *labelled.image.shape)
    assert torch.allclose(labelled.soft[:3].float().sum(0), torch.tensor(1.0), atol=5e-3)
    assert not unlabelled.is_labelled
    assert (unlabelled.truth == UNDECIDED).all()
    assert unlabelled.soft is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 1.7, 3.1), (0.6, 0.7, 0.5)])
def test_annotated_voxels_survive_preparation(phantoms, plan, axis, spacing):
    label = read_label(phantoms.cases[0].label)
    planes = [Plane(axis, 3), Plane(axis, label.shape[axis] // 2)]
    sparse = SparseLabel.from_planes(label, planes)
    case = TrainingCase("x", phantoms.cases[0].image, lambda: sparse)
    prepared = _prepare([case], replace(plan, spacing_mm=spacing), with_pseudo_label=False).cases[0]
    source, target = np.asarray(label.shape), np.asarray(prepared.truth.shape)
    places = np.argwhere(sparse.annotated)
    landed = np.minimum((places + 0.5) * target / source, target - 1).astype(int)
    decided = prepared.truth.numpy()[tuple(landed.T)] != UNDECIDED
    assert decided.mean() >= 0.95
    for plane in planes:
        assert decided[places[:, axis] == plane.index].mean() >= 0.95


def test_volumes_stored_in_another_orientation_are_prepared_alike(tmp_path, phantoms, plan):
    volume = read_image(phantoms.cases[0].image)
    affine = volume.affine @ np.array(
        [[0, -1, 0, volume.shape[0] - 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]
    )
    turned = np.transpose(volume.data[::-1], (2, 0, 1))
    write_map(tmp_path / "t.nii.gz", turned, like=Volume(turned, affine))
    straight = _prepare([TrainingCase("a", phantoms.cases[0].image)], plan).cases[0]
    other = _prepare([TrainingCase("b", tmp_path / "t.nii.gz")], plan).cases[0]
    assert torch.allclose(straight.image, other.image, atol=1e-4)


def test_broken_constant_and_mismatched_volumes_are_named_and_the_rest_goes_on(
    tmp_path, cases, plan
):
    def write(name, data):
        write_map(tmp_path / name, data, like=Volume(data, np.eye(4)))
        return tmp_path / name

    flat = write("flat.nii.gz", np.ones((9, 9, 9), np.float32))
    odd = write("odd.nii.gz", np.random.default_rng(0).normal(size=(9, 9, 9)).astype(np.float32))
    (tmp_path / "zero.nii.gz").write_bytes(b"")
    bad = [
        TrainingCase("flat", flat),
        TrainingCase("zero", tmp_path / "zero.nii.gz"),
        TrainingCase("odd", odd, lambda: SparseLabel.dense(np.zeros((5, 5, 5), np.uint8))),
        TrainingCase("class 7", odd, lambda: SparseLabel.dense(np.full((9, 9, 9), 7, np.uint8))),
    ]
    result = _prepare([*bad, *cases], plan)
    assert list(result.skipped) == ["flat", "zero", "odd", "class 7"]
    assert "constant" in result.skipped["flat"]
    assert "(5, 5, 5)" in result.skipped["odd"]
    assert "class 7" in result.skipped["class 7"]
    assert len(result.cases) == len(cases)


def test_only_annotated_classes_become_outputs_and_the_rest_is_background(phantoms, plan):
    label = read_label(phantoms.cases[0].label)
    sparse = SparseLabel.dense(np.where(label == 1, 0, label).astype(np.uint8))
    case = TrainingCase("x", phantoms.cases[0].image, lambda: sparse)
    classes = find_classes([case], 3)
    assert classes == (0, 2)
    prepared = _prepare([case], plan, classes).cases[0]
    assert set(prepared.truth.unique().tolist()) == {0, 1}


def test_clicks_that_cannot_be_propagated_still_train(phantoms, plan):
    annotated = np.zeros((16, 20, 16), bool)
    annotated[8, 10, 8] = annotated[0, 0, 0] = True
    clicks = SparseLabel(annotated.astype(np.uint8) * 0, annotated)
    case = TrainingCase("clicked", phantoms.cases[0].image, lambda: clicks)
    result = _prepare([case], plan)
    assert len(result.cases[0].annotated) == 2
    assert result.cases[0].soft is None
    assert "clicked" in result.unpropagated


def test_a_cached_volume_is_the_same_and_a_changed_label_is_not_taken_from_it(
    tmp_path, cases, plan, phantoms
):
    first = _prepare(cases[:1], plan, cache=tmp_path).cases[0]
    kept = sorted(tmp_path.iterdir())
    again = _prepare(cases[:1], plan, cache=tmp_path).cases[0]
    assert sorted(tmp_path.iterdir()) == kept
    assert torch.equal(first.soft, again.soft)
    label = SparseLabel.dense(read_label(phantoms.cases[0].label))
    dense = TrainingCase(cases[0].name, cases[0].image, lambda: label)
    assert len(_prepare([dense], plan, cache=tmp_path).cases[0].annotated) == label.classes.size


def test_a_damaged_cache_file_is_made_again(tmp_path, cases, plan):
    # A copy: the volume's own tensors are mapped from the file that is damaged here.
    first = _prepare(cases[:1], plan, cache=tmp_path).cases[0].image.clone()
    next(tmp_path.iterdir()).write_bytes(b"half a file")
    assert torch.equal(_prepare(cases[:1], plan, cache=tmp_path).cases[0].image, first)


def test_a_cached_volume_is_mapped_from_disk_from_the_start(tmp_path, cases, plan):
    prepared = _prepare(cases[:1], plan, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    assert str(file) in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert prepared.cases[0].soft is not None


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_soft_label_that_does_not_fit_the_memory_is_carried_coarsely(
    tmp_path, phantoms, plan, is_turned
):
    image, label = read_image(phantoms.cases[0].image), read_label(phantoms.cases[0].label)
    plane = Plane(2, label.shape[2] // 2)
    if is_turned:
        affine = image.affine @ np.array(
            [[0, -1, 0, image.shape[0] - 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]
        )
        turned = np.transpose(image.data[::-1], (2, 0, 1))
        write_map(tmp_path / "t.nii.gz", turned, like=Volume(turned, affine))
        label, plane = np.transpose(label[::-1], (2, 0, 1)), Plane(0, plane.index)
    path = tmp_path / "t.nii.gz" if is_turned else phantoms.cases[0].image
    case = TrainingCase("x", path, lambda: SparseLabel.from_planes(label, [plane]))
    whole = _prepare([case], plan).cases[0]
    coarse = _prepare([case], replace(plan, memory_gb=needed_gb(label.shape, 3) / 2)).cases[0]
    assert coarse.soft.shape == whole.soft.shape
    assert torch.equal(coarse.truth, whole.truth)
    assert not torch.equal(coarse.soft, whole.soft)
    difference = (coarse.soft - whole.soft).float().abs().mean(dim=(1, 2, 3))
    assert (difference[:4] < 0.1).all()
    assert difference[4] < 1  # voxels from the plane


def test_an_unreadable_label_does_not_hide_the_classes_of_others(cases):
    def broken():
        raise InputError("unreadable")

    assert find_classes([TrainingCase("x", cases[0].image, broken), *cases], 3) == (0, 1, 2)


def test_of_a_large_dense_label_some_voxels_of_each_class_are_listed(monkeypatch, tmp_path, plan):
    monkeypatch.setattr("spss.training.prepare.LISTED_VOXELS", 300)
    monkeypatch.setattr("spss.training.prepare.LISTED_OF_CLASS", 5)
    label = np.zeros((24, 24, 24), np.uint8)
    label[4:20, 4:20, 4:20] = 1
    label[2, 2, 1:4] = 2  # three voxels: by their share they would have none
    image = np.random.default_rng(0).normal(label, 0.1).astype(np.float32)
    path = tmp_path / "dense.nii.gz"
    write_map(path, image, like=Volume(image, np.eye(4), "dense"))
    dense = TrainingCase("dense", path, lambda: SparseLabel.dense(label))
    fine = replace(plan, spacing_mm=(1.0, 1.0, 1.0))
    (case,) = _prepare([dense], fine, with_pseudo_label=False).cases
    listed = case.truth[tuple(case.annotated.T)]
    counts = torch.bincount(listed.long(), minlength=3).tolist()
    share = (label == 1).mean()
    assert counts == [pytest.approx(300 * (1 - share), abs=2), pytest.approx(300 * share, abs=2), 3]
    assert len(case.annotated.unique(dim=0)) > 250


def test_a_dense_label_needs_no_soft_one(phantoms, plan):
    label = read_label(phantoms.cases[0].label)
    dense = TrainingCase("dense", phantoms.cases[0].image, lambda: SparseLabel.dense(label))
    result = _prepare([dense], plan)
    assert result.cases[0].soft is None
    assert not result.unpropagated
