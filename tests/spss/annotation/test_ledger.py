"""Everything people decided, never overwritten."""

import gzip
import hashlib
import json
import subprocess
import sys
import threading

import nibabel as nib
import numpy as np
import pytest

from spss.annotation import Ledger, Plane, find_planes
from spss.annotation.label_file import label_from_bytes
from spss.errors import InputError, NotReadyError
from spss.types import UNDECIDED

SHAPE = (6, 7, 8)
NAMES = ("background", "anterior", "posterior")
AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])


def _label(seed=0):
    return np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)


def _record(ledger, image_id, label, what, **kwargs):
    kwargs = {"class_names": NAMES, "affine": AFFINE, **kwargs}
    return ledger.record(image_id, label, what, **kwargs)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


def test_two_planes_of_two_submits_both_stay(ledger):
    first, second = _label(1), _label(2)
    _record(ledger, "a", first, [Plane(2, 3)])
    _record(ledger, "a", second, [Plane(2, 5)])
    sparse = ledger.sparse_label("a", NAMES)
    assert sparse.planes == (Plane(2, 3), Plane(2, 5))
    assert (sparse.classes[..., 3] == first[..., 3]).all()
    assert (sparse.classes[..., 5] == second[..., 5]).all()
    assert sparse.annotated.sum() == 2 * 42


def test_a_resubmitted_plane_wins_and_the_older_stays_in_history(ledger):
    old = _record(ledger, "a", _label(1), [Plane(0, 3)])
    _record(ledger, "a", _label(2), [Plane(0, 3)])
    assert (ledger.sparse_label("a", NAMES).classes[3] == _label(2)[3]).all()
    assert ledger.history("a")[0] == old
    assert len(ledger.history("a")) == 2


def test_the_newer_of_two_crossing_planes_wins_where_they_meet(ledger):
    _record(ledger, "a", np.full(SHAPE, 1, np.uint8), [Plane(0, 3)])
    _record(ledger, "a", np.full(SHAPE, 2, np.uint8), [Plane(1, 4)])
    sparse = ledger.sparse_label("a", NAMES)
    assert (sparse.classes[3, 4] == 2).all()
    assert (sparse.classes[3, 3] == 1).all()


def test_an_empty_plane_is_kept_as_an_annotation(ledger):
    _record(ledger, "a", np.zeros(SHAPE, np.uint8), [Plane(1, 0)])
    sparse = ledger.sparse_label("a", NAMES)
    assert sparse.planes == (Plane(1, 0),)
    assert sparse.annotated[:, 0].all()


def test_dense_covers_planes_and_planes_correct_dense(ledger):
    _record(ledger, "a", _label(1), [Plane(0, 3)])
    _record(ledger, "a", _label(2), "dense")
    _record(ledger, "a", _label(3), [Plane(0, 5)])
    sparse = ledger.sparse_label("a", NAMES)
    assert sparse.is_dense
    assert sparse.planes == (Plane(0, 5),)
    assert (sparse.classes[3] == _label(2)[3]).all()
    assert (sparse.classes[5] == _label(3)[5]).all()
    assert ledger.standing("a").dense


def test_clicks_decide_single_voxels(ledger):
    clicks = np.full(SHAPE, UNDECIDED, np.uint8)
    clicks[1, 2, 3] = 2
    clicks[4, 4, 4] = 0
    _record(ledger, "a", clicks, "voxels")
    sparse = ledger.sparse_label("a", NAMES)
    assert sparse.annotated.sum() == 2
    assert sparse.classes[1, 2, 3] == 2
    assert sparse.planes == ()


def test_entries_are_merged_by_class_name(ledger):
    turned = ("background", "posterior", "anterior")
    _record(ledger, "a", np.full(SHAPE, 1, np.uint8), [Plane(0, 1)], class_names=turned)
    assert (ledger.sparse_label("a", NAMES).classes[1] == 2).all()


def test_the_same_submit_twice_makes_one_version(ledger):
    first = _record(ledger, "a", _label(1), [Plane(0, 3), Plane(0, 4)])
    assert _record(ledger, "a", _label(1), [Plane(0, 3), Plane(0, 4)]) == first
    assert _record(ledger, "a", _label(1), [Plane(0, 4)]) == first
    assert len(ledger.history("a")) == 1


def test_repeating_a_plane_after_a_crossing_one_brings_it_back_to_the_top(ledger):
    _record(ledger, "a", np.full(SHAPE, 1, np.uint8), [Plane(0, 3)])
    _record(ledger, "a", np.full(SHAPE, 2, np.uint8), [Plane(1, 4)])
    _record(ledger, "a", np.full(SHAPE, 1, np.uint8), [Plane(0, 3)])
    assert (ledger.sparse_label("a", NAMES).classes[3] == 1).all()


def test_restoring_brings_an_earlier_state_back_and_loses_nothing(ledger):
    first = _record(ledger, "a", _label(1), [Plane(0, 3)])
    _record(ledger, "a", _label(2), [Plane(0, 3), Plane(0, 4)])
    before = ledger.sparse_label("a", NAMES)
    third = ledger.history("a")[-1].id
    ledger.restore("a", first.id)
    assert ledger.sparse_label("a", NAMES).planes == (Plane(0, 3),)
    assert (ledger.sparse_label("a", NAMES).classes[3] == _label(1)[3]).all()
    ledger.restore("a", third)
    again = ledger.sparse_label("a", NAMES)
    assert (again.classes == before.classes).all()
    assert len(ledger.history("a")) == 4


def test_restoring_to_before_everything_leaves_nothing_annotated(ledger):
    _record(ledger, "a", _label(1), "dense")
    ledger.restore("a", "")
    assert ledger.standing("a").is_empty
    with pytest.raises(NotReadyError, match="no annotation"):
        ledger.sparse_label("a", NAMES)


def test_restoring_an_unknown_entry_is_refused(ledger):
    _record(ledger, "a", _label(1), "dense")
    with pytest.raises(InputError, match="no entry 'x'"):
        ledger.restore("a", "x")


@pytest.mark.parametrize(
    "image_id",
    [
        "../../etc/passwd",
        "..",
        ".",
        "a/b",
        "a b.c",
        "Größe 3 – é",
        "x" * 400,
        "nul\x00l",
        "A",
        "%2e",
    ],
)
def test_any_id_stays_inside_the_ledger(ledger, image_id):
    _record(ledger, image_id, _label(1), [Plane(0, 0)])
    assert ledger.image_ids() == (image_id,)
    assert len(list(ledger.root.iterdir())) == 1
    assert len(list(ledger.root.parent.iterdir())) == 1


def test_ids_that_look_alike_stay_apart(ledger):
    ids = sorted(
        ["patient.1", "patient.2", "Patient.1", "patient_1", "patient 1", "e\u0301", "\xe9"]
    )
    for index, image_id in enumerate(ids):
        _record(ledger, image_id, _label(index), [Plane(0, index % 6)])
    assert ledger.image_ids() == tuple(ids)
    assert all(len(ledger.history(image_id)) == 1 for image_id in ids)


def test_an_entry_says_who_what_and_when(ledger):
    entry = _record(ledger, "a", _label(1), [Plane(2, 3)], author="Ada", provenance="draft")
    on_disk = json.loads(next(ledger.root.glob("*/*.json")).read_text(encoding="utf-8"))
    assert on_disk["author"] == "Ada"
    assert on_disk["provenance"] == "draft"
    assert on_disk["planes"] == [{"axis": 2, "index": 3}]
    assert len(on_disk["plane_sha256"][0]) == 64
    assert on_disk["time"].endswith("+00:00")
    assert entry == Ledger(ledger.root).history("a")[0]


def test_the_label_file_lies_on_the_images_grid(ledger):
    _record(ledger, "a", _label(1), [Plane(2, 3)])
    image = nib.load(next(ledger.root.glob("*/*.nii.gz")))
    assert np.allclose(image.affine, AFFINE)
    data = np.asarray(image.dataobj)
    assert data.dtype == np.uint8
    assert (data[..., 3] == _label(1)[..., 3]).all()
    assert (np.delete(data, 3, axis=2) == UNDECIDED).all()


def test_torn_and_foreign_files_are_skipped_and_named(ledger):
    _record(ledger, "a", _label(1), [Plane(0, 1)])
    good = ledger.sparse_label("a", NAMES)
    folder = next(ledger.root.iterdir())
    (folder / "000009-x.json").write_text('{"id": "000009-x", "ima', encoding="utf-8")
    (folder / "holiday.txt").write_text("not mine", encoding="utf-8")
    (folder / "000003-orphan.nii.gz").write_bytes(b"half")
    (ledger.root / "notes.md").write_text("not mine", encoding="utf-8")
    fresh = Ledger(ledger.root)
    assert (fresh.sparse_label("a", NAMES).with_undecided() == good.with_undecided()).all()
    names = {problem.path.name for problem in fresh.problems()}
    assert names == {"000009-x.json", "holiday.txt", "000003-orphan.nii.gz"}


def test_a_damaged_label_falls_back_to_the_version_before(ledger):
    _record(ledger, "a", _label(1), [Plane(0, 1)])
    newer = _record(ledger, "a", _label(2), [Plane(0, 1)])
    path = next(ledger.root.iterdir()) / newer.label_file
    path.write_bytes(path.read_bytes()[:-9])
    assert (ledger.sparse_label("a", NAMES).classes[1] == _label(1)[1]).all()
    assert [problem.path.stem for problem in ledger.problems()] == [newer.id]


def test_an_entry_copied_to_another_image_is_not_taken(ledger):
    _record(ledger, "a", _label(1), [Plane(0, 1)])
    _record(ledger, "b", _label(2), [Plane(0, 2)])
    source, target = (ledger._folder(image_id) for image_id in "ab")
    for path in source.iterdir():
        if path.name != ".lock":
            (target / path.name).write_bytes(path.read_bytes())
    assert Ledger(ledger.root).standing("b").planes == (Plane(0, 2),)


@pytest.mark.parametrize(
    ("label", "what", "match"),
    [
        (_label(), [Plane(0, 6)], "outside"),
        (_label(), [], "decides no voxel"),
        (np.full(SHAPE, UNDECIDED, np.uint8), "voxels", "decides no voxel"),
        (np.full(SHAPE, 3, np.uint8), "dense", "value 3"),
        (np.full((2, 2), 1, np.uint8), "dense", "3-D"),
    ],
)
def test_what_decides_nothing_is_refused(ledger, label, what, match):
    with pytest.raises(InputError, match=match):
        _record(ledger, "a", label, what)
    assert ledger.image_ids() == ()


def test_a_found_plane_can_be_recorded_as_it_is(ledger):
    label = np.zeros(SHAPE, np.uint8)
    label[2:5, 2:6, 4] = 1
    planes = find_planes(label)
    assert planes is not None
    _record(ledger, "a", label, planes)
    assert ledger.standing("a").planes == (Plane(2, 4),)


def test_threads_submitting_at_once_all_count(ledger):
    def submit(index):
        _record(ledger, "a", _label(index), [Plane(2, index)], author=str(index))

    threads = [threading.Thread(target=submit, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = ledger.history("a")
    assert [entry.sequence for entry in history] == list(range(1, 9))
    assert ledger.standing("a").planes == tuple(Plane(2, index) for index in range(8))


_SUBMIT_EVERY_SECOND_PLANE = """
import sys, pathlib, numpy as np
from spss.annotation import Ledger, Plane
ledger = Ledger(pathlib.Path(sys.argv[1]))
for index in range(int(sys.argv[2]), 8, 2):
    ledger.record("a", np.full((6, 7, 8), 1, np.uint8), [Plane(2, index)],
                  class_names=["background", "anterior", "posterior"], affine=np.eye(4))
"""


def test_processes_submitting_at_once_all_count(ledger):
    command = [sys.executable, "-c", _SUBMIT_EVERY_SECOND_PLANE, str(ledger.root)]
    workers = [subprocess.Popen([*command, first]) for first in "01"]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert ledger.standing("a").planes == tuple(Plane(2, index) for index in range(8))
    assert ledger.problems() == ()


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 200])
def test_a_label_with_the_right_checksum_that_is_no_nifti_is_refused(content):
    data = gzip.compress(content)
    with pytest.raises(InputError, match="no NIfTI label"):
        label_from_bytes(data, "x.nii.gz", sha256=hashlib.sha256(data).hexdigest(), shape=(1, 1, 1))
