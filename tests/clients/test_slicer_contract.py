from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel
import numpy as np
import pytest
import requests

from spss.annotation import Plane
from spss.suggestion import list_strategies
from spss_app.dicomweb.series import Series
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.pacs_server import PacsServer
from spss_apps.clients.slicer_client import (
    FIRST_LOOK_S,
    Loaded,
    SlicerClient,
    import_labelmap,
)
from spss_apps.clients.waiting import until

# MONAI Label's own client leaves its sockets to the garbage collector.
pytestmark = [
    # both servers: MONAI Label's own, and ours that wants a token
    pytest.mark.parametrize("pacs_server", [False, True], indirect=True, ids=["plain", "serve"]),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning"),
]


def load(slicer: SlicerClient, pacs_server: PacsServer, uid: str) -> Loaded:
    """The scene as if the strategy had chosen this series."""
    asked = {"image": uid}
    with pacs_server.session() as session:
        session.get(f"{slicer.url}/datastore/image", params=asked, timeout=60).raise_for_status()
        info = session.get(f"{slicer.url}/datastore/image/info", params=asked, timeout=60).json()
    shape = nibabel.load(info["path"]).shape
    segments = {name: np.zeros(shape, bool) for name in slicer.info["labels"]}
    return Loaded({"id": uid, **info}, Path(info["path"]), info["PatientID"], segments)


def test_info_has_what_the_panel_reads(slicer: SlicerClient) -> None:
    info = slicer.info
    assert info["labels"] == ["anterior", "posterior"]
    assert next(iter(info["models"])) == "spss"
    assert {"spss", "propagate"} <= set(info["models"])
    assert all(model["type"] == "segmentation" for model in info["models"].values())
    assert tuple(info["strategies"]) == list_strategies()
    assert "method" in info["trainers"]["spss"]["config"]
    assert set(info["datastore"]) >= {"total", "completed"}


def test_next_sample_opens_a_volume_and_runs_the_first_model_without_an_error(
    slicer: SlicerClient,
) -> None:
    loaded = slicer.next_sample("self_paced")
    assert loaded.sample["path"] == str(loaded.file)
    assert loaded.file.name == loaded.sample["name"]
    assert loaded.model == "spss"
    plane = loaded.sample["suggestion"]
    assert f"{plane['name']} {plane['index']}" in loaded.node_name
    assert set(loaded.segments) == {"anterior", "posterior"}


def test_a_slicer_on_another_machine_downloads_the_same_volume(
    slicer: SlicerClient, pacs_server: PacsServer
) -> None:
    if pacs_server.token:  # its download brings no token: the guide says what to do
        with pytest.raises(requests.HTTPError, match="401"):
            slicer.next_sample("first", on_this_machine=False)
        return
    there = slicer.next_sample("first", on_this_machine=False)
    assert there.file.parent == slicer.folder
    assert there.file.read_bytes() == Path(there.sample["path"]).read_bytes()


def test_the_named_plane_lies_where_point_and_normal_say(slicer: SlicerClient) -> None:
    loaded = slicer.next_sample("self_paced")
    plane = loaded.sample["suggestion"]
    image = nibabel.load(loaded.file)
    voxel = np.linalg.solve(image.affine, [*plane["point_ras_mm"], 1])[:3]
    assert voxel[plane["axis"]] == pytest.approx(plane["index"], abs=1e-2)
    edges = [image.affine[:3, axis] for axis in range(3) if axis != plane["axis"]]
    assert [edge @ plane["normal_ras"] for edge in edges] == pytest.approx([0, 0], abs=1e-4)
    assert plane["point_lps_mm"][:2] == [-value for value in plane["point_ras_mm"][:2]]


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".seg.nrrd"])
def test_names_decide_when_a_skipped_segment_makes_idx_and_value_disagree(
    slicer: SlicerClient,
    pacs_server: PacsServer,
    new_series: Callable[..., Series],
    ending: str,
) -> None:
    loaded = load(slicer, pacs_server, new_series("first").uid)
    index = {".nii.gz": 8, ".nrrd": 14, ".seg.nrrd": 5}[ending]
    shape = nibabel.load(loaded.file).shape
    posterior, anterior, background = (np.zeros(shape, bool) for _ in range(3))
    background[0:3, 0:3, index] = True
    posterior[10:16, 30:38, index] = True
    anterior[10:20, 12:24, index] = True
    loaded.segments = {"background": background, "posterior": posterior, "anterior": anterior}
    answer = slicer.submit(loaded, ending=ending)
    assert answer["understood"].startswith(f"1 axial plane, {index}: anterior, posterior")
    file = slicer.client.download_label(loaded.sample["id"], "final")
    stored = np.asarray(nibabel.load(file).dataobj)[:, :, index]
    assert np.array_equal(stored == 1, anterior[:, :, index])
    assert np.array_equal(stored == 2, posterior[:, :, index])


def test_the_draft_under_original_has_each_structure_in_its_own_segment(
    slicer: SlicerClient, pacs_server: PacsServer, new_series: Callable[..., Series]
) -> None:
    loaded = load(slicer, pacs_server, new_series("second").uid)
    loaded.segments["posterior"][10:22, 20:30, 15] = True  # nothing of the first structure
    slicer.submit(loaded)
    for _ in range(300):  # of some 20 volumes: missing this one has a chance of 1 in a million
        sample = slicer.ask("random")
        if sample["id"] == loaded.sample["id"]:
            break
    else:
        pytest.fail("the volume with one plane was never offered again")
    again = slicer.open(sample)
    assert again.draft
    assert not again.segments["anterior"][:, :, 15].any()
    drawn = loaded.segments["posterior"][:, :, 15]
    assert np.array_equal(again.segments["posterior"][:, :, 15], drawn)


def test_a_label_that_slicer_imports_is_not_shifted_by_an_absent_structure(
    slicer: SlicerClient, tmp_path: Path
) -> None:
    values = np.zeros((4, 4, 4), np.uint8)
    values[1, 2, 3] = 2
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "label.nii.gz")
    segments: dict[str, np.ndarray] = {}
    import_labelmap(segments, tmp_path / "label.nii.gz", ["background", "anterior", "posterior"])
    assert not segments["anterior"].any()
    assert segments["posterior"][1, 2, 3]


def test_a_misspelt_structure_is_refused_in_one_sentence(
    slicer: SlicerClient, pacs_server: PacsServer, cohort: Cohort
) -> None:
    loaded = load(slicer, pacs_server, cohort.uids["first"])
    drawn = np.zeros(nibabel.load(loaded.file).shape, bool)
    drawn[5:9, 5:9, 5] = True
    loaded.segments = {"anteriro": drawn}
    with pytest.raises(Exception, match="anteriro") as refusal:
        slicer.submit(loaded)
    assert "422" in str(refusal.value)
    assert "kept on the server" in str(refusal.value)


def test_the_training_bar_moves_from_the_first_poll(
    slicer: SlicerClient, pacs_server: PacsServer, cohort: Cohort
) -> None:
    loaded = load(slicer, pacs_server, cohort.uids["first"])
    loaded.segments["anterior"][10:20, 12:24, 11] = True
    slicer.submit(loaded)
    slicer.train("spss", iterations=20, method="masked", device="cpu")
    assert until(slicer.is_training, seconds=FIRST_LOOK_S)
    seen = []
    stats: dict[str, Any] = {}
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not stats.get("total_time"):
        seen.append(slicer.progress())
        stats = next(iter(slicer.client.info()["train_stats"].values()), {})
        time.sleep(0.2)
    slicer.client.train_stop()  # what goes on is the scoring of images for the next suggestion
    percents = [percent for percent, _ in seen]
    assert all(1 <= percent <= 100 for percent in percents)
    moving = [percent for percent in percents if percent > 1]
    assert moving == sorted(moving), percents
    assert len({*moving}) >= 2, stats
    assert {"epoch", "total_epochs", "best_metric", "total_time"} <= set(stats)


def test_the_slicer_module_gets_a_plane_and_submits_it_empty_to_the_real_server(
    pacs_server: PacsServer, module: ModuleType, tmp_path: Path
) -> None:
    server = module.Server(pacs_server.url, uuid.uuid4().hex, pacs_server.token)
    assert server.labels() == ["anterior", "posterior"]
    plane = server.next_plane(server.default_strategy())
    assert plane.reason
    elsewhere = plane._replace(path="")  # as on a machine that cannot see the server's disk
    image = nibabel.load(server.download_image(elsewhere, str(tmp_path)))
    voxel = np.linalg.solve(image.affine, [*plane.point_ras, 1])[:3]
    assert voxel[plane.axis] == pytest.approx(plane.index, abs=1e-2)
    empty = nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine)
    nibabel.save(empty, tmp_path / "label.nii.gz")
    before = set(pacs_server.ledger.standing(plane.image_id).planes)
    said = server.submit(
        plane, str(tmp_path / "label.nii.gz"), module.exported_segments(server.labels())
    )
    assert said.startswith(f"1 {plane.name} plane, {plane.index}")
    after = set(pacs_server.ledger.standing(plane.image_id).planes)
    assert after == before | {Plane(plane.axis, plane.index)}
    if pacs_server.token:
        with pytest.raises(module.ServerError, match="see the field Token"):
            module.Server(pacs_server.url).next_plane("first")
