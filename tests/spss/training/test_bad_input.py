"""Sets that are lopsided rather than broken: training goes on, or says what to change."""

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.datasets import make_phantoms
from spss.inference import Predictor
from spss.training import TrainingCase, train
from spss.volumes import read_image, read_label

NAMES = ("background", "front", "back")
LEARNING = ("mean_teacher", "pln", "spss_reference", "spss")


def planes_of(case, indices):
    """Loads some planes of axis 0 of a phantom."""
    planes = [Plane(0, index) for index in indices]
    return lambda: SparseLabel.from_planes(read_label(case.label), planes)


def test_volumes_of_very_different_spacing_share_a_plan_and_keep_their_own_grids(tmp_path, quick):
    phantoms = [
        make_phantoms(tmp_path / name, 1, shape=shape, spacing_mm=spacing, seed=3).cases[0]
        for name, shape, spacing in (
            ("usual", (16, 20, 16), (1.0, 1.0, 1.0)),
            ("thick", (16, 20, 8), (1.0, 1.0, 6.0)),
            ("fine", (30, 30, 30), (0.4, 0.4, 0.4)),
        )
    ]
    cases = [
        TrainingCase(f"v{place}", case.image, planes_of(case, [case_middle(case)]))
        for place, case in enumerate(phantoms)
    ]
    result = train(cases, NAMES, out=tmp_path / "out", method="spss", iterations=4, **quick)
    assert result.finished
    assert not result.skipped
    predictor = Predictor.load(tmp_path / "out", device="cpu")
    for case in phantoms:
        volume = read_image(case.image)
        assert predictor.predict(volume).classes.shape == volume.shape


def case_middle(case):
    """Index of the plane of axis 0 with most foreground."""
    return int(np.argmax((read_label(case.label) > 0).sum((1, 2))))


def test_a_volume_of_absurd_spacing_is_left_out_with_its_name_and_the_reason(
    tmp_path, cases, quick
):
    absurd = make_phantoms(tmp_path / "far", 1, shape=(16, 16, 16), spacing_mm=(50, 50, 50))
    far = TrainingCase("far", absurd.cases[0].image)
    said = []
    result = train(
        [*cases, far], NAMES, out=tmp_path / "out", iterations=2, say=said.append, **quick
    )
    assert result.finished
    assert "50 x 50 x 50 mm" in result.skipped["far"]
    assert any(line.startswith("Skipped far:") and "correct the spacing" in line for line in said)


@pytest.mark.parametrize("method", LEARNING)
def test_all_planes_may_lie_in_one_volume(tmp_path, phantoms, quick, method):
    first, *others = phantoms.cases
    cases = [TrainingCase(first.name, first.image, planes_of(first, range(3, 13, 2)))]
    cases += [TrainingCase(case.name, case.image) for case in others]
    said = []
    result = train(
        cases, NAMES, out=tmp_path, method=method, iterations=4, say=said.append, **quick
    )
    assert result.finished
    assert not result.refused
    assert f"{len(cases)} volumes, 1 of them annotated." in said


@pytest.mark.parametrize("method", LEARNING)
def test_one_volume_is_all_there_is(tmp_path, phantoms, quick, method):
    case = phantoms.cases[0]
    alone = TrainingCase(case.name, case.image, planes_of(case, [case_middle(case)]))
    result = train([alone], NAMES, out=tmp_path, method=method, iterations=4, **quick)
    assert result.finished
    assert not result.refused
    volume = read_image(case.image)
    assert Predictor.load(tmp_path, device="cpu").predict(volume).classes.shape == volume.shape


@pytest.mark.parametrize("method", LEARNING)
def test_one_annotated_voxel_trains_what_it_shows_and_names_the_rest(
    tmp_path, phantoms, quick, method
):
    annotated = np.zeros((16, 20, 16), bool)
    annotated[8, 10, 8] = True
    label = SparseLabel(annotated.astype(np.uint8), annotated)  # one voxel of class 1
    first, second = phantoms.cases[:2]
    cases = [
        TrainingCase(first.name, first.image, lambda: label),
        TrainingCase(second.name, second.image),
    ]
    said = []
    result = train(
        cases, NAMES, out=tmp_path, method=method, iterations=4, say=said.append, **quick
    )
    assert result.finished
    assert not result.refused
    assert result.absent_classes == ("back",)
    assert first.name in result.unpropagated
    assert "Nobody annotated back: the model will not predict it." in said


@pytest.mark.parametrize("method", LEARNING)
def test_a_class_that_nobody_annotated_has_no_output_to_be_learned_as_empty(
    tmp_path, phantoms, quick, method
):
    def only_front(case):
        label = np.where(read_label(case.label) == 1, 1, 0).astype(np.uint8)
        return SparseLabel.from_planes(label, [Plane(0, index) for index in range(3, 13, 2)])

    cases = [
        TrainingCase(case.name, case.image, (lambda case=case: only_front(case)) if use else None)
        for case, use in zip(phantoms.cases, (True, True, False, False), strict=False)
    ]
    result = train(cases, NAMES, out=tmp_path, method=method, iterations=4, **quick)
    assert result.absent_classes == ("back",)
    predictor = Predictor.load(tmp_path, device="cpu")
    assert predictor.config.classes == (0, 1)
    volume = read_image(phantoms.cases[0].image)
    probabilities = predictor.predict(volume, probabilities=True).probabilities
    assert (probabilities[2] == 0).all()
