"""The datastore: safe names, no lost updates, readable after anything."""

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi import HTTPException

from spss.volumes import Grid, write_label, write_map
from spss_app.datastore import safe_index
from spss_app.datastore.local import LocalFolder

GRID = Grid((4, 5, 6), np.eye(4), "image")


def _image(path, seed=0):
    values = np.random.default_rng(seed).normal(size=GRID.shape).astype(np.float32)
    write_map(path, values, like=GRID)
    return path


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "studies"
    for seed, name in enumerate(["a", "b", "c"]):
        _image(root / f"{name}.nii.gz", seed)
    return root


@pytest.fixture
def store(folder):
    return LocalFolder(folder, folder)


@pytest.fixture
def label(tmp_path):
    path = tmp_path / "label.nii.gz"
    write_label(path, np.ones(GRID.shape, np.uint8), like=GRID)
    return path


def _upload(tmp_path, filename, seed=0):
    """As MONAI Label's endpoint does it: id and temporary name cut at the first dot."""
    suffixes = "".join(Path(filename).suffixes)
    file = _image(tmp_path / f"whole{len(suffixes)}_{seed}.nii.gz", seed)
    temporary = tmp_path / f"tmpabcdefgh{suffixes}"
    os.replace(file, temporary)
    return filename.replace(suffixes, ""), str(temporary)


def test_dotted_names_stay_two_images(store, tmp_path):
    for seed, name in enumerate(["patient.1.nii.gz", "patient.2.nii.gz"]):
        image_id, file = _upload(tmp_path, name, seed)
        assert store.add_image(image_id, file, {}) == name.removesuffix(".nii.gz")
    assert {"patient.1", "patient.2"} <= set(store.list_images())
    first, second = (Path(store.get_image_uri(f"patient.{n}")).read_bytes() for n in (1, 2))
    assert first != second


def test_an_upload_never_replaces_another_image(store, tmp_path):
    image_id, file = _upload(tmp_path, "a.nii.gz", seed=9)
    before = Path(store.get_image_uri("a")).read_bytes()
    with pytest.raises(HTTPException, match="another image 'a'"):
        store.add_image(image_id, file, {})
    assert Path(store.get_image_uri("a")).read_bytes() == before


@pytest.mark.parametrize(
    "image_id",
    [
        "../x",
        "/etc/x",
        "a/b",
        "a\\b",
        ".hidden",
        "..",
        "x\0y",
        "x\ny",
        "con",
        "x" * 300,
        " x",
        "x.",
    ],
)
def test_ids_that_could_leave_the_folder_are_refused(store, tmp_path, image_id):
    file = _image(tmp_path / "tmpabcdefgh.nii.gz")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(HTTPException) as refused:
        store.add_image(image_id, str(file), {})
    assert refused.value.status_code == 422
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("ending", [".py", ".sh", ".nii.gz.py", ".json", ""])
def test_files_that_are_no_images_are_refused(store, tmp_path, ending):
    file = tmp_path / f"tmpabcdefgh{ending}"
    file.write_text("import os", encoding="utf-8")
    with pytest.raises(HTTPException):
        store.add_image("x", str(file), {})


@pytest.mark.parametrize("tag", ["../x", "a/b", "", ".", "x" * 99, "ä"])
def test_tags_that_could_leave_the_folder_are_refused(store, label, folder, tag):
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(HTTPException):
        store.save_label("a", str(label), tag, {})
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("info", [[1], "x", {"x": "y" * 400_000}])
def test_information_that_is_no_small_object_is_refused(store, info):
    with pytest.raises(HTTPException):
        store.update_image_info("a", info)


def test_two_files_of_one_stem_are_two_images(folder):
    _image(folder / "a.nii", 7)
    store = LocalFolder(folder, folder)
    assert store.list_images() == ["a", "a.nii", "b", "c"]
    assert store.get_image_uri("a.nii").endswith("a.nii")
    assert store.get_image_uri("a").endswith("a.nii.gz")


def test_new_and_deleted_files_are_noticed(store, folder):
    _image(folder / "d.nrrd")
    assert store.list_images() == ["a", "b", "c", "d"]
    (folder / "a.nii.gz").unlink()
    assert store.list_images() == ["b", "c", "d"]


def test_segmentations_and_hidden_files_are_no_images(store, folder):
    write_label(folder / "x.seg.nrrd", np.ones(GRID.shape, np.uint8), like=GRID)
    (folder / "._b.nii.gz").write_bytes(b"macOS")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    assert store.list_images() == ["a", "b", "c"]


def test_two_stores_do_not_lose_each_others_updates(folder, label):
    first, second = LocalFolder(folder, folder), LocalFolder(folder, folder)
    first.save_label("a", str(label), "original", {"by": "first"})
    second.update_image_info("b", {"score": 1})
    first.update_image_info("c", {"score": 2})
    for store in (first, second, LocalFolder(folder, folder)):
        assert store.get_label_info("a", "original")["by"] == "first"
        assert store.get_image_info("b")["score"] == 1
        assert store.get_image_info("c")["score"] == 2


def test_stores_that_write_at_once_do_not_lose_updates(folder):
    """Each with an index of its own in memory, as in several processes."""

    def update(name):
        store = LocalFolder(folder, folder)
        for number in range(10):
            store.update_image_info(name, {f"key{number}": number})

    threads = [threading.Thread(target=update, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = LocalFolder(folder, folder)
    for name in "abc":
        assert {f"key{number}" for number in range(10)} <= set(fresh.get_image_info(name))


@pytest.mark.parametrize("keep", [0, 1, 40, -5])
def test_a_truncated_index_is_rebuilt(folder, store, label, keep):
    store.save_label("a", str(label), "original", {"by": "me"})
    index = folder / "datastore_v2.json"
    index.write_bytes(index.read_bytes()[:keep])
    again = LocalFolder(folder, folder)
    assert again.list_images() == ["a", "b", "c"]
    assert again.get_label_uri("a", "original").endswith("a.nii.gz")
    assert list(folder.glob("datastore_v2.json.broken-*"))
    json.loads(index.read_bytes())


def test_an_index_torn_while_running_is_rebuilt(folder, store, label):
    store.save_label("a", str(label), "original", {})
    (folder / "datastore_v2.json").write_text('{"name": "x", "obj', encoding="utf-8")
    assert store.list_images() == ["a", "b", "c"]
    store.update_image_info("b", {"score": 1})
    assert LocalFolder(folder, folder).get_image_info("b")["score"] == 1


def test_a_rebuilt_index_tells_nothing_old_of_a_label_replaced_since(folder, store, label):
    store.save_label("a", str(label), "original", {"by": "me"})
    store.save_label("b", str(label), "original", {"by": "me"})
    store.save_label("c", str(label), "original", {"by": "me"})
    store.update_label_info("c", "original", {"ts": "yesterday"})
    index = folder / "datastore_v2.json"
    (folder / "datastore_v2.json.backup").write_bytes(index.read_bytes())
    later = time.time() + 60
    os.utime(folder / "labels" / "original" / "b.nii.gz", (later, later))
    index.write_bytes(b"")
    again = LocalFolder(folder, folder)
    assert again.get_label_info("a", "original")["by"] == "me"
    assert again.get_label_uri("b", "original").endswith("b.nii.gz")
    assert "by" not in again.get_label_info("b", "original")
    assert again.get_label_uri("c", "original").endswith("c.nii.gz")


def test_an_index_of_another_images_folder_does_not_lead_away(folder):
    store = LocalFolder(folder, folder)
    index = json.loads((folder / "datastore_v2.json").read_text(encoding="utf-8"))
    index["images_dir"], index["labels_dir"] = "/etc", "../../outside"
    (folder / "datastore_v2.json").write_text(json.dumps(index), encoding="utf-8")
    assert LocalFolder(folder, folder).get_image_uri("a") == str(folder / "a.nii.gz")
    assert store.list_images() == ["a", "b", "c"]


def test_a_read_only_images_folder_is_served_from_a_workspace(folder, tmp_path, label):
    store = LocalFolder(folder, tmp_path / "workspace")
    before = sorted(folder.rglob("*"))
    store.save_label("a", str(label), "original", {})
    assert Path(store.get_label_uri("a", "original")).is_relative_to(tmp_path / "workspace")
    assert sorted(folder.rglob("*")) == before


def test_a_label_of_another_format_replaces_the_old_file(store, label, tmp_path, folder):
    store.save_label("a", str(label), "original", {})
    nrrd = tmp_path / "label.nrrd"
    write_label(nrrd, np.zeros(GRID.shape, np.uint8), like=GRID)
    store.save_label("a", str(nrrd), "original", {})
    assert [p.name for p in (folder / "labels" / "original").glob("a.*")] == ["a.nrrd"]


def test_a_thousand_images_are_listed_quickly(tmp_path):
    import time

    folder = tmp_path / "many"
    source = _image(folder / "image_0000.nii.gz").read_bytes()
    for number in range(1, 1000):
        (folder / f"image_{number:04d}.nii.gz").write_bytes(source)
    store = LocalFolder(folder, folder)
    started = time.perf_counter()
    for _ in range(5):
        assert len(store.list_images()) == 1000
        store.update_image_info("image_0500", {"ts": 1})
    assert (time.perf_counter() - started) / 5 < 0.5


def _count_looks(store, monkeypatch):
    looks, look = [], store._reconcile_datastore
    monkeypatch.setattr(store, "_reconcile_datastore", lambda: looks.append(1) or look())
    return looks


def test_storing_labels_does_not_make_it_look_through_all_images(store, label, monkeypatch):
    store.save_label("a", str(label), "mine", {})  # makes the folder
    looks = _count_looks(store, monkeypatch)
    for image_id in ("a", "b", "c", "a"):
        store.save_label(image_id, str(label), "mine", {})
    store.remove_label("a", "mine")
    assert store.list_images() == ["a", "b", "c"]
    assert looks == []


def test_a_file_that_a_person_puts_there_is_noticed_at_once(store, folder, label):
    store.save_label("a", str(label), "mine", {})
    _image(folder / "d.nii.gz", 4)
    assert "d" in store.list_images()
    copied = folder / "labels" / "mine" / "b.nii.gz"
    copied.write_bytes(label.read_bytes())
    assert "mine" in store.json()["objects"]["b"]["labels"]
    copied.unlink()
    store.save_label("a", str(label), "mine", {})
    assert "mine" not in store.json()["objects"]["b"]["labels"]


def test_a_file_that_comes_in_the_same_moment_as_a_label_is_noticed_soon(
    store, folder, label, monkeypatch
):
    store.save_label("a", str(label), "mine", {})
    with store.changing():
        _image(folder / "d.nii.gz", 4)
    monkeypatch.setattr(safe_index, "_LOOK_AGAIN_SECONDS", 0.0)
    store.save_label("a", str(label), "mine", {})
    time.sleep(0.01)
    assert "d" in store.list_images()
    monkeypatch.setattr(safe_index, "_LOOK_AGAIN_SECONDS", 10.0)
    store.list_images()  # once more, since the index was written into the same folder
    looks = _count_looks(store, monkeypatch)
    store.list_images()
    assert looks == []  # and then not again
