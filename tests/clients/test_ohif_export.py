from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series
from spss_apps.clients.desk import NAMES, Desk, drawing
from spss_apps.clients.orthanc import Orthanc


def ohif_file(series: Series, index: int) -> Dataset:
    """What OHIF's export makes of a drawing on slice ``index``."""
    segmentation = write_segmentation(drawing(series, index=index), NAMES, series)
    segmentation.file_meta.ImplementationVersionName = "dcmjs-0.0"
    return segmentation


@pytest.mark.parametrize(("policy", "index"), [("mirrored", 4), ("as_stored", 1)])
def test_slices_of_ohif_are_turned_round_only_when_the_server_was_told(
    orthanc: Orthanc, image: Series, tmp_path: Path, policy: str, index: int
) -> None:
    desk = Desk(orthanc.dicomweb, tmp_path / "desk", ohif=policy)
    orthanc.store_datasets([ohif_file(image, 1)])
    desk.synchronise()
    label = desk.received[0].label.classes
    assert np.flatnonzero(label.any(axis=(0, 1))).tolist() == [index]
    assert np.array_equal(label[:, :, index], drawing(image)[:, :, 3])


def test_a_segmentation_of_ohif_waits_until_its_order_is_known(
    orthanc: Orthanc, image: Series, desk: Desk, tmp_path: Path
) -> None:
    orthanc.store_datasets([ohif_file(image, 1)])
    assert desk.synchronise() == ()
    (known,) = desk.exchange.register.known().values()
    assert known.state == "unsure"
    assert "--conf ohif mirrored" in known.detail
    told = Desk(orthanc.dicomweb, tmp_path / "desk", ohif="mirrored")
    assert told.synchronise() == ("1 classes understood",)
    assert told.synchronise() == ()
