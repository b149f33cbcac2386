from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spss.annotation import Plane
from spss_app.dicomweb.errors import PacsError
from spss_app.dicomweb.pacs import AWAY_SECONDS
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series, stack
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.desk import NAMES, Desk, drawing
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.orthanc import Orthanc


def test_a_segmentation_of_another_viewer_comes_in_once(
    orthanc: Orthanc, image: Series, desk: Desk, tmp_path: Path
) -> None:
    orthanc.store_datasets([write_segmentation(drawing(image, value=2), NAMES, image)])
    assert desk.synchronise() == ("1 classes understood",)
    assert desk.synchronise() == ()
    restarted = Desk(orthanc.dicomweb, tmp_path / "desk")
    assert restarted.synchronise() == ()
    (incoming,) = desk.received
    assert incoming.image_id == image.uid
    assert incoming.label.names == ("posterior",)
    assert np.array_equal(incoming.label.classes > 0, drawing(image) > 0)


def test_our_own_segmentation_is_in_the_pacs_and_never_comes_back(
    orthanc: Orthanc, image: Series, desk: Desk
) -> None:
    said = desk.exchange.send(
        image.uid, drawing(image), NAMES, planes=[Plane(2, 3)], description="one plane"
    )
    assert "Stored" in said
    (found,) = orthanc.series("SEG")
    assert found.SeriesDescription == "one plane"
    assert desk.synchronise() == ()
    assert desk.received == []


def test_a_server_that_lost_its_folder_gets_its_planes_back(
    orthanc: Orthanc, image: Series, desk: Desk, tmp_path: Path
) -> None:
    planes = [Plane(2, 0), Plane(2, 3)]  # nothing on plane 0: a label map alone cannot say so
    desk.exchange.send(image.uid, drawing(image), NAMES, planes=planes, description="planes")
    fresh = Desk(orthanc.dicomweb, tmp_path / "fresh")
    fresh.synchronise()
    assert fresh.received[0].label.planes == tuple(planes)


def test_a_pacs_away_in_mid_annotation_loses_nothing(
    orthanc: Orthanc, image: Series, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.images.volume(image.uid)
    orthanc.stop()
    said = desk.exchange.send(image.uid, drawing(image), NAMES, planes=None, description="waits")
    assert "not yet in the DICOM server" in said
    with pytest.raises(PacsError, match="does not answer"):
        desk.synchronise()
    assert len(desk.exchange.outbox.pending()) == 1
    orthanc.start()
    monkeypatch.setattr("time.monotonic", _later(AWAY_SECONDS))
    assert desk.synchronise() == ()
    assert desk.exchange.outbox.pending() == []
    assert [item.SeriesDescription for item in orthanc.series("SEG")] == ["waits"]


def test_an_unsent_segmentation_survives_a_restart_of_our_server(
    orthanc: Orthanc, image: Series, desk: Desk, tmp_path: Path
) -> None:
    desk.images.volume(image.uid)
    orthanc.stop()
    desk.exchange.send(image.uid, drawing(image), NAMES, planes=None, description="waits")
    orthanc.start()
    restarted = Desk(orthanc.dicomweb, tmp_path / "desk")
    restarted.synchronise()
    assert len(orthanc.series("SEG")) == 1
    assert restarted.received == []


def test_a_segmentation_of_unknown_images_waits_until_they_arrive(
    orthanc: Orthanc, desk: Desk
) -> None:
    volume = np.zeros((10, 8, 6), np.int16)
    datasets = make_series(volume)
    series = stack(datasets, [Path(str(index)) for index in range(len(datasets))])
    orthanc.store_datasets([write_segmentation(drawing(series), NAMES, series)])
    assert desk.synchronise() == ()
    (waiting,) = desk.exchange.register.known().values()
    assert waiting.state == "waiting"
    assert series.uid in waiting.detail
    orthanc.store_datasets(datasets)
    assert desk.synchronise() == ("1 classes understood",)
    assert desk.states() == ["imported"]


def test_one_unusable_segmentation_does_not_hold_up_the_others(
    orthanc: Orthanc, image: Series, desk: Desk
) -> None:
    names = ("background", "liver", "posterior")
    orthanc.store_datasets([write_segmentation(drawing(image), names, image)])
    twins = write_segmentation(drawing(image) + drawing(image, index=1, value=2), NAMES, image)
    twins.SegmentSequence[1].SegmentLabel = "anterior"
    orthanc.store_datasets([twins])
    orthanc.store_datasets([write_segmentation(drawing(image), NAMES, image)])
    assert desk.synchronise() == ("1 classes understood",)
    assert desk.states() == ["imported", "refused", "refused"]
    details = " ".join(known.detail for known in desk.exchange.register.known().values())
    assert "liver" in details
    assert "two segments named 'anterior'" in details
    assert len(orthanc.series("SEG")) == 3


def test_segmentations_that_overlap_come_in_in_the_order_they_were_drawn(
    orthanc: Orthanc, image: Series, desk: Desk
) -> None:
    for minute, value in ((30, 2), (10, 1)):  # stored in the wrong order
        segmentation = write_segmentation(drawing(image, value=value), NAMES, image)
        segmentation.ContentDate, segmentation.ContentTime = "20260102", f"12{minute}00"
        orthanc.store_datasets([segmentation])
    desk.synchronise()
    assert [incoming.label.names for incoming in desk.received] == [("anterior",), ("posterior",)]


def test_a_second_instance_in_a_known_segmentation_series_comes_in_too(
    orthanc: Orthanc, image: Series, desk: Desk
) -> None:
    first = write_segmentation(drawing(image), NAMES, image)
    second = write_segmentation(drawing(image, index=5), NAMES, image)
    orthanc.store_datasets([first])
    desk.synchronise()
    second.SeriesInstanceUID = first.SeriesInstanceUID
    orthanc.store_datasets([second])
    assert len(desk.synchronise()) == 1
    assert desk.received[1].label.classes[:, :, 5].any()


def test_half_a_transfer_leaves_no_half_series(
    orthanc: Orthanc, image: Series, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = desk.pacs.fetch
    monkeypatch.setattr(desk.pacs, "fetch", lambda *uids: fetch(*uids)[:3])
    with pytest.raises(PacsError, match="3 of 6 images"):
        desk.images.volume(image.uid)
    monkeypatch.undo()
    assert desk.images.volume(image.uid).exists()


@pytest.mark.parametrize("role", ["first", "oblique"])
def test_real_series_make_the_round_trip_through_the_pacs(
    orthanc: Orthanc, desk: Desk, cohort: Cohort, role: str
) -> None:
    orthanc.store(sorted(cohort.folders[role].iterdir()))
    series = desk.images.series(cohort.uids[role])
    classes = np.zeros(series.shape, np.uint8)
    classes[series.shape[0] // 2, 5:20, 3:9] = 1
    classes[7:30, 9:14, 11] = 2
    orthanc.store_datasets([write_segmentation(classes, NAMES, series)])
    desk.synchronise()
    assert np.array_equal(desk.received[0].label.classes, classes)


def _later(seconds: float) -> Callable[[], float]:
    from time import monotonic

    return lambda: monotonic() + seconds
