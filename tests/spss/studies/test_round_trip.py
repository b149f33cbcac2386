"""What is exported comes back: every plane, name, author and time."""

import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spss.annotation import Ledger, Plane, SparseLabel
from spss.datasets import load_label_of, open_decathlon, read_annotations
from spss.errors import InputError, NotReadyError
from spss.studies import export_studies, find_folders, import_dataset
from spss.volumes import read_grid, read_image, read_label, write_map
from spss.volumes.grid import Grid

SHAPE = (3, 4, 5)
AFFINE = np.diag([1.5, -2.0, 0.7, 1.0])
NAMES = ("background", "liver", "tumour αβ")
IDS = ("case_0001", "Müller 7.b")

planes = st.one_of(
    [st.builds(Plane, st.just(axis), st.integers(0, SHAPE[axis] - 1)) for axis in range(3)]
)
submits = st.tuples(
    st.sampled_from(IDS),
    st.one_of(
        st.sets(planes, min_size=1, max_size=3), st.sampled_from(["dense", "voxels", "restore"])
    ),
    st.integers(0, 9),
    st.sampled_from(["", "Ana", "Bo / Ø"]),
    st.booleans(),
)
plans = st.lists(submits, min_size=1, max_size=7)


def _image(folder, image_id, ending=".nii.gz", seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    write_map(folder / f"{image_id}{ending}", data, like=Grid(SHAPE, AFFINE))


def _studies(root, ids=IDS, ending=".nii.gz"):
    for number, image_id in enumerate(ids):
        _image(root, image_id, ending, number)
    root.mkdir(exist_ok=True)
    return find_folders(str(root))


def _label(what, seed):
    label = np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)
    if what == "voxels":
        label[np.random.default_rng(seed + 1).random(SHAPE) < 0.7] = 255
        label[0, 0, 0] = 1
    return label


def _fill(ledger, plan):
    for image_id, what, seed, author, renamed in plan:
        names = ("background", NAMES[2], NAMES[1]) if renamed else NAMES
        if what == "restore":
            known = ["", *(entry.id for entry in ledger.history(image_id))]
            ledger.restore(image_id, known[seed % len(known)], author=author)
        else:
            ledger.record(
                image_id, _label(what, seed), what, class_names=names, affine=AFFINE, author=author
            )


def _state(ledger, image_id):
    try:
        label = ledger.sparse_label(image_id, NAMES)
    except NotReadyError:
        return None
    return label.with_undecided().tobytes(), label.planes


def _all_of(ledger):
    return {
        image_id: [(entry, ledger.label_bytes(entry)) for entry in ledger.history(image_id)]
        for image_id in ledger.image_ids()
    }


def _export(studies, out, layout, **options):
    return export_studies(studies, out, layout, class_names=NAMES, **options)


@settings(deadline=None, max_examples=12)
@given(plans, st.sampled_from(["decathlon", "nnunet"]))
def test_every_version_comes_back_as_it_was(plan, layout):
    with tempfile.TemporaryDirectory() as folder:
        there = _studies(Path(folder) / "there")
        _fill(Ledger(there.ledger), plan)
        _export(there, Path(folder) / "set", layout)
        here = _studies(Path(folder) / "here", ids=())
        done = import_dataset(here, Path(folder) / "set")
        assert not done.left_out
        assert not done.read
        before, after = Ledger(there.ledger), Ledger(here.ledger)
        assert _all_of(before) == _all_of(after)
        assert [_state(before, i) for i in IDS] == [_state(after, i) for i in IDS]
        for image_id in IDS:
            image = read_image(here.image_files()[image_id])
            assert (image.data == read_image(there.image_files()[image_id]).data).all()


@settings(deadline=None, max_examples=10)
@given(plans, plans)
def test_a_second_import_changes_nothing_and_loses_nothing_that_was_there(plan, other):
    with tempfile.TemporaryDirectory() as folder:
        there, here = _studies(Path(folder) / "there"), _studies(Path(folder) / "here")
        _fill(Ledger(there.ledger), plan)
        _fill(Ledger(here.ledger), other)
        ledger = Ledger(here.ledger)
        own = {image_id: ledger.history(image_id) for image_id in IDS}
        _export(there, Path(folder) / "set", "nnunet")
        import_dataset(here, Path(folder) / "set")
        once = _all_of(ledger)
        again = import_dataset(here, Path(folder) / "set")
        assert not again.entries
        assert _all_of(ledger) == once
        source = Ledger(there.ledger)
        for image_id in IDS:
            history = ledger.history(image_id)
            assert history[: len(own[image_id])] == own[image_id]
            assert len(history) <= len(own[image_id]) + len(source.history(image_id))
            if len(history) == len(own[image_id]) + len(source.history(image_id)):
                theirs = [e.label_sha256 for e in source.history(image_id)]
                assert [e.label_sha256 for e in history[len(own[image_id]) :]] == theirs


@settings(deadline=None, max_examples=12)
@given(plans)
def test_nnunets_files_alone_carry_every_decided_voxel(plan):
    with tempfile.TemporaryDirectory() as folder:
        there = _studies(Path(folder) / "there")
        _fill(Ledger(there.ledger), plan)
        _export(there, Path(folder) / "set", "nnunet", history=False)
        assert not (Path(folder) / "set" / "ledger").exists()
        here = _studies(Path(folder) / "here", ids=())
        import_dataset(here, Path(folder) / "set", author="Ana")
        for image_id in IDS:
            before = _state(Ledger(there.ledger), image_id)
            after = _state(Ledger(here.ledger), image_id)
            assert (before and before[0]) == (after and after[0])
            if before is not None and before[0].count(255):
                assert set(before[1]) <= set(after[1])
            assert {e.author for e in Ledger(here.ledger).history(image_id)} <= {"Ana"}


@settings(deadline=None, max_examples=12)
@given(plans)
def test_spss_train_reads_exactly_the_planes_from_a_decathlon_export(plan):
    with tempfile.TemporaryDirectory() as folder:
        there = _studies(Path(folder) / "there")
        ledger = Ledger(there.ledger)
        _fill(ledger, plan)
        done = _export(there, Path(folder) / "set", "decathlon", history=False)
        dataset = open_decathlon(Path(folder) / "set")
        assert dataset.class_names == NAMES
        assert [case.name for case in dataset.cases] == sorted(IDS)
        annotations = read_annotations(Path(folder) / "set" / "annotations.json", dataset)
        for case in dataset.cases:
            load = load_label_of(case, annotations, class_count=3)
            if _state(ledger, case.name) is None:
                assert load is None
                continue
            wanted = ledger.sparse_label(case.name, NAMES)
            if not wanted.is_dense:
                assert (case.name in done.partly) == bool(
                    (wanted.annotated & ~_on_planes(wanted)).any()
                )
                wanted = SparseLabel.from_planes(wanted.classes, wanted.planes)
            read = load() if load else SparseLabel.empty(SHAPE)
            assert (read.with_undecided() == wanted.with_undecided()).all()


def _on_planes(label):
    return SparseLabel.from_planes(label.classes, label.planes).annotated


def _one_plane(root, **kind):
    studies = _studies(root, ids=("a", "b"), **kind)
    ledger = Ledger(studies.ledger)
    label = _label("", 3)
    ledger.record("a", label, [Plane(2, 1)], class_names=NAMES, affine=AFFINE, author="Ana")
    return studies, label


def test_nnunets_labels_mark_undecided_voxels_and_say_so(tmp_path):
    studies, label = _one_plane(tmp_path / "there")
    export_studies(studies, tmp_path / "set", "nnunet", channel="CT")
    values = np.asarray(nib.load(tmp_path / "set/labelsTr/a.nii.gz").dataobj)
    assert (values[..., 1] == label[..., 1]).all()
    assert (np.delete(values, 1, axis=2) == 3).all()
    described = (tmp_path / "set/dataset.json").read_text(encoding="utf-8")
    assert '"ignore": 3' in described
    assert '"0": "CT"' in described
    assert (tmp_path / "set/imagesTr/a_0000.nii.gz").is_file()
    assert (tmp_path / "set/imagesTs/b_0000.nii.gz").is_file()


def test_a_label_that_was_corrected_in_the_data_set_becomes_a_new_version(tmp_path):
    studies, label = _one_plane(tmp_path / "there")
    export_studies(studies, tmp_path / "set", "nnunet")
    path = tmp_path / "set/labelsTr/a.nii.gz"
    stored = nib.load(path)
    values = np.asarray(stored.dataobj).copy()
    values[0, 0, 1] = (label[0, 0, 1] + 1) % 3
    nib.save(nib.Nifti1Image(values, stored.affine, stored.header), path)
    done = import_dataset(studies, tmp_path / "set", author="Bo")
    assert done.read == ["a"]
    first, second = Ledger(studies.ledger).history("a")
    assert (first.author, second.author) == ("Ana", "Bo")
    now = Ledger(studies.ledger).sparse_label("a", NAMES)
    assert now.classes[0, 0, 1] == values[0, 0, 1]
    assert now.planes == (Plane(2, 1),)


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_images_of_any_format_leave_with_their_voxels_and_place(tmp_path, ending):
    studies, _ = _one_plane(tmp_path / "there", ending=ending)
    export_studies(studies, tmp_path / "set", "decathlon")
    there, copy = tmp_path / f"there/a{ending}", tmp_path / "set/imagesTr/a.nii.gz"
    assert (read_image(there).data == read_image(copy).data).all()
    assert np.allclose(read_grid(there).affine, read_grid(copy).affine, atol=1e-5)
    label = read_label(tmp_path / "set/labelsTr/a.nii.gz", like=read_grid(copy))
    assert label[..., 1].any()


def test_another_image_under_the_same_name_takes_no_labels(tmp_path):
    studies, _ = _one_plane(tmp_path / "there")
    export_studies(studies, tmp_path / "set", "decathlon")
    here = _studies(tmp_path / "here", ids=())
    write_map(tmp_path / "here/a.nii.gz", np.ones((2, 2, 2)), like=Grid((2, 2, 2), np.eye(4)))
    done = import_dataset(here, tmp_path / "set")
    assert "another image" in done.left_out["a"]
    assert Ledger(here.ledger).history("a") == ()


def test_a_damaged_version_is_named_and_the_rest_comes_in(tmp_path):
    studies, label = _one_plane(tmp_path / "there")
    ledger = Ledger(studies.ledger)
    ledger.record("a", label, [Plane(2, 3)], class_names=NAMES, affine=AFFINE)
    export_studies(studies, tmp_path / "set", "decathlon")
    first = sorted((tmp_path / "set/ledger").rglob("000001*.nii.gz"))[0]
    first.write_bytes(first.read_bytes()[:-9])
    here = _studies(tmp_path / "here", ids=())
    done = import_dataset(here, tmp_path / "set")
    assert [name for name in done.left_out if name.startswith("a, version 000001")]
    assert Ledger(here.ledger).standing("a").planes == (Plane(2, 3),)


def test_an_annotated_image_that_is_gone_is_named_and_its_history_kept(tmp_path):
    studies, _ = _one_plane(tmp_path / "there")
    (tmp_path / "there/a.nii.gz").unlink()
    done = export_studies(studies, tmp_path / "set", "decathlon")
    assert "a" in done.left_out
    here = _studies(tmp_path / "here", ids=())
    import_dataset(here, tmp_path / "set")
    assert Ledger(here.ledger).standing("a").planes == (Plane(2, 1),)


def test_an_export_does_not_touch_a_folder_in_use_and_leaves_nothing_half_done(tmp_path):
    studies, _ = _one_plane(tmp_path / "there")
    out = tmp_path / "set"
    out.mkdir()
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists already"):
        export_studies(studies, out, "decathlon")
    shutil.rmtree(out)
    with pytest.raises(InputError, match="nnU-Net keeps"):
        export_studies(studies, out, "nnunet", class_names=("background", "ignore", *NAMES[1:]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there"]


def test_a_server_started_on_an_imported_folder_knows_the_classes(tmp_path):
    studies, _ = _one_plane(tmp_path / "there")
    export_studies(studies, tmp_path / "set", "nnunet", class_names=NAMES)
    here = _studies(tmp_path / "here", ids=())
    import_dataset(here, tmp_path / "set")
    assert "liver" in here.classes_file.read_text(encoding="utf-8")
