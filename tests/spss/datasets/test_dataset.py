"""A Decathlon folder as people have them: complete, partly labelled, or wrong."""

import json
from pathlib import Path

import pytest

from spss.datasets import Dataset, make_phantoms, open_decathlon
from spss.datasets.dataset import patient_of
from spss.errors import InputError


@pytest.fixture
def phantoms(tmp_path: Path) -> Dataset:
    return make_phantoms(tmp_path / "my data", 4, shape=(10, 9, 8))


def rewrite(dataset: Dataset, **changes: object) -> Path:
    path = dataset.root / "dataset.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8"
    )
    return dataset.root


def test_cases_are_sorted_and_classes_named_in_order(phantoms: Dataset) -> None:
    assert [case.name for case in phantoms.cases] == [f"phantom_00{index}" for index in range(4)]
    assert phantoms.class_names == ("background", "front", "back")
    assert all(case.image.is_file() and case.label for case in phantoms.cases)


def test_a_volume_without_label_is_a_case_all_the_same(phantoms: Dataset) -> None:
    assert phantoms.cases[1].label is not None
    phantoms.cases[1].label.unlink()
    entries = [{"image": f"imagesTr/{case.image.name}"} for case in phantoms.cases]
    dataset = open_decathlon(rewrite(phantoms, training=entries))
    assert [case.label is not None for case in dataset.cases] == [True, False, True, True]


def test_labels_may_be_written_as_nnunet_does_and_the_list_may_be_absent(
    phantoms: Dataset,
) -> None:
    labels = {"background": 0, "front": 1, "back": 2}
    dataset = open_decathlon(rewrite(phantoms, labels=labels, training=None))
    assert dataset.class_names == phantoms.class_names
    assert [case.name for case in dataset.cases] == [case.name for case in phantoms.cases]


def test_a_case_is_found_with_or_without_its_ending(phantoms: Dataset) -> None:
    assert phantoms.case("phantom_002.nii.gz") == phantoms.case("phantom_002")
    with pytest.raises(InputError, match="no image 'phantom_9'"):
        phantoms.case("phantom_9")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"0": "background", "2": "liver"}, r"numbers its labels \[0, 2\]"),
        ({"0": "background"}, "one foreground class or more"),
        ({"0": "background", "1": "a", "2": "a"}, "two labels alike"),
        ({"zero": "background"}, "one whole number"),
        ({}, "no 'labels'"),
        (None, "no 'labels'"),
    ],
)
def test_labels_that_cannot_be_class_indices_are_refused(
    phantoms: Dataset, labels: object, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        open_decathlon(rewrite(phantoms, labels=labels))


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset\.json"):
        open_decathlon(tmp_path)
    (tmp_path / "dataset.json").write_text("{broken", encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        open_decathlon(tmp_path)


def test_an_image_listed_twice_is_refused(phantoms: Dataset) -> None:
    entry = {"image": "imagesTr/phantom_000.nii.gz"}
    with pytest.raises(InputError, match="phantom_000 is listed twice"):
        open_decathlon(rewrite(phantoms, training=[entry, entry]))


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("patient001_frame12", "patient001"),
        ("a_b_visit-2", "a_b"),
        ("hippocampus_001", "hippocampus_001"),
        ("_frame01", "_frame01"),
        ("scan_frame", "scan_frame"),
    ],
)
def test_the_patient_is_told_by_the_name(name: str, patient: str) -> None:
    assert patient_of(name) == patient
