from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import requests

from spss_app.dicomweb.series import Series
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.labelled_series import labelled_series
from spss_apps.clients.labelling import infer, series_of, submit_plane
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.ohif_drawing import download, draw, open_to_draw, upload
from spss_apps.clients.ohif_segmentation import jump_to, jump_to_label
from spss_apps.clients.pacs_server import PacsServer

NAMES = ("anterior", "posterior")
ACQUIRED = "mpr-axial"
"""The view along the acquisition."""


def assert_same_voxels(page: dict[str, np.ndarray], expected: np.ndarray) -> None:
    for value, name in enumerate(NAMES, start=1):
        assert np.array_equal(page[name], expected == value), name


def test_the_panel_shows_models_and_strategies_and_the_result_on_the_right_voxels(
    pacs_server: PacsServer,
    viewer: Ohif,
    data: Path,
    new_series: Callable[..., Series],
    tmp_path: Path,
    pictures: Path,
) -> None:
    (labelled,) = labelled_series(data, 1)
    slices = new_series(datasets=labelled.datasets)
    uid, index = slices.uid, labelled.fullest_slice
    submit_plane(pacs_server, uid, tmp_path, index=index, truth=labelled.classes)
    viewer.open(study_of(slices))
    viewer.screenshot(pictures / "ohif-1-open.png")
    viewer.connect()
    assert viewer.models() == ["spss", "propagate"]
    viewer.screenshot(pictures / "ohif-2-connected.png")
    for model in ("spss", "propagate"):
        viewer.run(model)
        expected = infer(pacs_server, model, uid, tmp_path)
        assert (expected > 0).any()
        assert_same_voxels(viewer.labelmap(), expected)
    jump_to_label(viewer, slices, index, least=500, view=ACQUIRED)
    drawn = viewer.coloured_pixels()
    viewer.screenshot(pictures / "ohif-3-propagated.png")
    empty = next(k for k in range(expected.shape[2]) if not expected[:, :, k].any())
    jump_to(viewer, slices, empty, ACQUIRED)
    assert drawn > 500
    assert viewer.coloured_pixels() < drawn / 20


def test_an_oblique_series_with_a_plane_across_the_slices_is_right_too(
    pacs_server: PacsServer, viewer: Ohif, cohort: Cohort, tmp_path: Path, pictures: Path
) -> None:
    series = series_of(pacs_server, cohort.uids["oblique"])
    uid = series.SeriesInstanceUID
    submit_plane(pacs_server, uid, tmp_path, axis=0)
    viewer.open(f"{series.StudyInstanceUID}&SeriesInstanceUIDs={uid}")
    viewer.connect()
    assert viewer.shown_series() == {uid}
    viewer.run("propagate")
    assert_same_voxels(viewer.labelmap(), infer(pacs_server, "propagate", uid, tmp_path))
    viewer.screenshot(pictures / "ohif-6-oblique.png")


@pytest.mark.parametrize("pacs_server", [False, True], indirect=True, ids=["plain", "serve"])
def test_next_sample_and_training_from_the_panel(
    pacs_server: PacsServer, viewer: Ohif, cohort: Cohort, tmp_path: Path, pictures: Path
) -> None:
    series = series_of(pacs_server, cohort.uids["second"])
    submit_plane(pacs_server, series.SeriesInstanceUID, tmp_path, index=18)
    viewer.open(series.StudyInstanceUID)
    viewer.connect()
    viewer.open_active_learning()
    assert {"self_paced", "strided", "random", "first"} <= set(viewer.strategies())
    assert viewer.press_training() == "Stop Training"
    percents = watch_the_bar(viewer, seconds=900)
    viewer.show_bars()
    viewer.screenshot(pictures / "ohif-4-training.png")
    assert percents == sorted(percents)
    assert percents[0] < percents[-1] <= 100
    assert viewer.press_training() == "Update Model"
    table = viewer.next_sample("self_paced")
    viewer.screenshot(pictures / "ohif-5-next-sample.png")
    assert " \u2192 " in table["Patient ID"]
    assert table["Study Instance UID"].startswith("1.")


def watch_the_bar(viewer: Ohif, *, seconds: float) -> list[int]:
    """What the training's bar said, each time after pressing the round arrow, until it moved."""
    percents: list[int] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len({*percents}) < 2:
        viewer.connect()
        said = viewer.bars()["Training"]
        if "epochs completed" in said:
            percents.append(int(said.split("%")[0]))
        viewer.page.wait_for_timeout(500)
    return percents


def test_a_plane_drawn_in_ohif_reaches_the_ledger_through_the_pacs(
    pacs_server: PacsServer,
    viewer: Ohif,
    new_series: Callable[..., Series],
    tmp_path: Path,
    pictures: Path,
) -> None:
    series = new_series("second")
    uid, index = series.uid, 12
    study = f"{study_of(series)}&SeriesInstanceUIDs={uid}"
    open_to_draw(viewer, study)
    drawn = draw(viewer, "posterior", index=index)
    viewer.screenshot(pictures / "ohif-7-draw.png")
    assert drawn.sum() > 20
    upload(viewer, download(viewer, tmp_path))
    answer = requests.get(f"{pacs_server.url}/datastore/?output=all", timeout=120).json()
    final = answer["objects"][uid]["labels"]["final"]["info"]
    assert final["annotated_planes"] == [{"axis": 2, "index": index}]
    label = requests.get(
        f"{pacs_server.url}/datastore/label", params={"label": uid, "tag": "final"}, timeout=60
    )
    (tmp_path / "final.nii.gz").write_bytes(label.content)
    stored = np.asarray(nibabel.load(tmp_path / "final.nii.gz").dataobj)
    assert np.array_equal(stored[:, :, index] == 2, drawn)
    assert (stored > 0).sum() == drawn.sum()


def study_of(series: Series) -> str:
    return str(series.headers[0].StudyInstanceUID)
