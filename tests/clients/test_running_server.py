"""What goes wrong around a running server on a real PACS: said in a sentence, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from monailabel.client.client import MONAILabelClientException

from spss.annotation import Plane
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series
from spss_apps.clients.desk import NAMES
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.labelling import infer, submit_plane
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.pacs_server import PacsServer
from spss_apps.clients.slicer_client import Loaded, SlicerClient
from spss_apps.clients.unusable import UNUSABLE, Spoil
from spss_apps.clients.waiting import until

# MONAI Label's own client leaves its sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def pacs_state(pacs_server: PacsServer) -> dict[str, Any]:
    """What ``/info/`` says of the PACS."""
    info = requests.get(f"{pacs_server.url}/info/", timeout=60).json()
    state: dict[str, Any] = info["datastore"]["dicomweb"]
    return state


def scene(pacs_server: PacsServer, series: Series) -> Loaded:
    """Slicer with this series open and nothing drawn."""
    asked = {"image": series.uid}
    info = requests.get(f"{pacs_server.url}/datastore/image/info", params=asked, timeout=60).json()
    segments = {name: np.zeros(series.shape, bool) for name in NAMES[1:]}
    return Loaded({"id": series.uid}, Path(info["path"]), "", segments)


@pytest.mark.parametrize(("words", "spoil"), UNUSABLE.items(), ids=UNUSABLE)
def test_a_series_that_is_no_volume_is_refused_with_the_reason_and_never_offered(
    pacs_server: PacsServer, spoil: Spoil, words: str
) -> None:
    datasets = make_series(np.zeros((10, 8, 6), np.int16))
    spoil(datasets)
    pacs_server.orthanc.store_datasets(datasets)
    uid = str(datasets[0].SeriesInstanceUID)
    url, asked = f"{pacs_server.url}/datastore/image", {"image": uid}
    try:
        assert until(lambda: requests.get(url, params=asked, timeout=60).status_code == 422)
        assert words in requests.get(url, params=asked, timeout=60).json()["detail"]
        assert words in pacs_state(pacs_server)["refused_series"][uid]
        first = requests.post(f"{pacs_server.url}/activelearning/first", json={}, timeout=60).json()
        assert first["id"] != uid
    finally:
        pacs_server.orthanc.delete_study(str(datasets[0].StudyInstanceUID))


def test_a_segmentation_that_any_viewer_stored_is_seen_by_the_next_request(
    pacs_server: PacsServer, new_series: Callable[..., Series]
) -> None:
    """MONAI Label keeps its own list of labels for two hours; here nobody waits for that."""
    series = new_series("first")

    def label() -> dict[str, Any]:
        answer = requests.get(f"{pacs_server.url}/datastore/?output=all", timeout=60).json()
        info: dict[str, Any] = answer["objects"][series.uid]["labels"].get("final", {})
        return info

    assert label() == {}
    classes = np.zeros(series.shape, np.uint8)
    classes[5:9, 4:12, 7] = 1
    pacs_server.orthanc.store_datasets([write_segmentation(classes, NAMES, series)])
    assert until(lambda: label() != {}, seconds=5)
    assert label()["info"]["annotated_planes"] == [{"axis": 2, "index": 7}]
    assert "anterior" in pacs_state(pacs_server)["imported_segmentations"][-1]


def test_a_pacs_that_goes_away_in_mid_annotation_gets_the_label_when_it_is_back(
    pacs_server: PacsServer, slicer: SlicerClient, new_series: Callable[..., Series]
) -> None:
    series = new_series("first")
    loaded = scene(pacs_server, series)
    loaded.segments["anterior"][10:20, 12:24, 9] = True
    pacs_server.orthanc.stop()
    try:
        assert slicer.submit(loaded)["understood"].startswith("1 axial plane, 9: anterior")
        state = pacs_state(pacs_server)
        assert state["unsent"] == 1
        assert "does not answer" in state["away"]
        assert "nothing is lost" in state["away"]
    finally:
        pacs_server.orthanc.start()
    assert pacs_server.ledger.standing(series.uid).planes == (Plane(2, 9),)
    assert until(lambda: pacs_state(pacs_server)["unsent"] == 0)
    study = str(series.headers[0].StudyInstanceUID)
    stored = [item.StudyInstanceUID for item in pacs_server.orthanc.series("SEG")]
    assert stored.count(study) == 1


def test_our_server_goes_away_in_mid_annotation_and_nothing_that_was_drawn_is_lost(
    pacs_server: PacsServer,
    slicer: SlicerClient,
    viewer: Ohif,
    new_series: Callable[..., Series],
    tmp_path: Path,
) -> None:
    series = new_series("second")
    submit_plane(pacs_server, series.uid, tmp_path, index=5)
    loaded = scene(pacs_server, series)
    loaded.segments["posterior"][10:20, 12:24, 9] = True
    viewer.open(str(series.headers[0].StudyInstanceUID))
    viewer.connect()
    viewer.run("propagate")
    before = viewer.labelmap()
    pacs_server.server.stop()
    try:
        viewer.page.click(".modelSelector button:has-text('Run')")
        viewer.page.get_by_text("Failed to Run Segmentation").first.wait_for()
        after = viewer.labelmap()
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        with pytest.raises((OSError, MONAILabelClientException)):
            slicer.submit(loaded)
    finally:
        pacs_server.server.start()
    assert pacs_server.ledger.standing(series.uid).planes == (Plane(2, 5),)
    assert slicer.submit(loaded)["understood"].endswith("2 planes in all")
    assert pacs_server.ledger.standing(series.uid).planes == (Plane(2, 5), Plane(2, 9))
    viewer.run("propagate")
    expected = infer(pacs_server, "propagate", series.uid, tmp_path)
    assert np.array_equal(viewer.labelmap()["posterior"], expected == 2)
