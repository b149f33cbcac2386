"""The annotations file: names and planes that exist, and no look at anything else."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spss.annotation import Plane
from spss.datasets import (
    Annotations,
    Dataset,
    load_label_of,
    make_phantoms,
    read_annotations,
    sparse_label_of,
    write_annotations,
)
from spss.errors import InputError
from spss.volumes import read_label


@pytest.fixture
def phantoms(tmp_path: Path) -> Dataset:
    return make_phantoms(tmp_path / "data", 3, shape=(10, 9, 8))


def annotations_file(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path: Path, phantoms: Dataset) -> None:
    annotations: Annotations = {
        "phantom_000": (Plane(0, 4), Plane(2, 3)),
        "phantom_002": "dense",
    }
    write_annotations(tmp_path / "a.json", annotations)
    assert read_annotations(tmp_path / "a.json", phantoms) == annotations


def test_names_may_have_their_ending_and_an_empty_list_is_no_annotation(
    tmp_path: Path, phantoms: Dataset
) -> None:
    document = {"phantom_000.nii.gz": [{"axis": 1, "index": 2}], "phantom_001": []}
    read = read_annotations(annotations_file(tmp_path, document), phantoms)
    assert read == {"phantom_000": (Plane(1, 2),)}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"nobody": "dense"}, "no image 'nobody'"),
        ({"phantom_000": [{"axis": 3, "index": 2}]}, "a plane needs"),
        ({"phantom_000": [{"axis": 0}]}, "a plane needs"),
        ({"phantom_000": [{"axis": 0, "index": 1.5}]}, "a plane needs"),
        ({"phantom_000": [{"axis": True, "index": 1}]}, "a plane needs"),
        ({"phantom_000": [7]}, "a plane needs"),
        ({"phantom_000": "sparse"}, "list of planes"),
        ({"phantom_000": [{"axis": 2, "index": 8}]}, "phantom_000: Plane 8 along axis 2 .* 0 to 7"),
        ({"phantom_000": [{"axis": 2, "index": -1}]}, "Plane -1 along axis 2"),
        ({"phantom_000": "dense", "phantom_000.nii.gz": "dense"}, "twice"),
        ([], "must hold a JSON object"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    tmp_path: Path, phantoms: Dataset, document: object, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_annotations(annotations_file(tmp_path, document), phantoms)


def test_an_absent_or_broken_file_is_named(tmp_path: Path, phantoms: Dataset) -> None:
    with pytest.raises(InputError, match="no annotations file"):
        read_annotations(tmp_path / "absent.json", phantoms)
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        read_annotations(tmp_path / "broken.json", phantoms)


def test_only_the_planes_are_read_whatever_else_the_label_holds(phantoms: Dataset) -> None:
    case = phantoms.cases[0]
    assert case.label is not None
    truth = read_label(case.label)
    poisoned = np.full(truth.shape, np.nan)
    poisoned[5] = truth[5]
    nib.save(nib.Nifti1Image(poisoned, nib.load(case.image).affine), case.label)
    label = sparse_label_of(case, (Plane(0, 5),), class_count=3)
    assert label.annotated.sum() == truth[5].size
    np.testing.assert_array_equal(label.classes[5], truth[5])
    assert not np.delete(label.classes, 5, axis=0).any()


def test_dense_gives_the_whole_label(phantoms: Dataset) -> None:
    case = phantoms.cases[0]
    assert case.label is not None
    label = sparse_label_of(case, "dense")
    assert label.is_dense
    np.testing.assert_array_equal(label.classes, read_label(case.label))


def test_an_image_that_is_absent_from_the_file_has_no_label(phantoms: Dataset) -> None:
    assert load_label_of(phantoms.cases[1], {"phantom_000": "dense"}) is None
    load = load_label_of(phantoms.cases[0], {"phantom_000": "dense"})
    assert load is not None
    assert load().is_dense


def test_a_label_on_another_grid_than_its_image_is_refused(phantoms: Dataset) -> None:
    case = phantoms.cases[0]
    assert case.label is not None
    nib.save(nib.Nifti1Image(np.zeros((10, 9, 8), np.uint8), np.diag([2, 1, 1, 1])), case.label)
    with pytest.raises(InputError, match="row 0 column 0"):
        sparse_label_of(case, (Plane(0, 5),))


def test_one_broken_image_does_not_stop_the_others_from_being_read(
    tmp_path: Path, phantoms: Dataset
) -> None:
    phantoms.cases[0].image.write_bytes(b"")
    plane = [{"axis": 0, "index": 2}]
    path = annotations_file(tmp_path, {"phantom_000": plane, "phantom_001": plane})
    assert set(read_annotations(path, phantoms)) == {"phantom_000", "phantom_001"}


def test_an_annotated_image_without_label_file_is_named(tmp_path: Path, phantoms: Dataset) -> None:
    assert phantoms.cases[0].label is not None
    phantoms.cases[0].label.unlink()
    from spss.datasets import open_decathlon

    path = annotations_file(tmp_path, {"phantom_000": "dense"})
    with pytest.raises(InputError, match="phantom_000, but that image has no label file"):
        read_annotations(path, open_decathlon(phantoms.root))
