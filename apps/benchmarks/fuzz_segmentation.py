"""Fuzzing the reader of DICOM segmentations that other programs put into the PACS."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss_app.dicomweb.segmentation_reader import (
    SegmentationLabel,
    read_segmentation,
    referenced_series,
)
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series, stack
from spss_apps.benchmarks.fuzz_targets import Target, refused
from spss_apps.clients.dicom_series import make_series

_SHAPE = (6, 5, 4)
_NAMES = ("background", "front", "back")


def segmentation_target(folder: Path) -> Target:
    """SEG files that refer to a small series. ``folder`` is not needed: nothing is written."""
    del folder
    series = _series()

    def read(data: bytes) -> None:
        """Reads the input as a file that the PACS sends."""
        try:
            dataset = pydicom.dcmread(BytesIO(data), force=True)
        except Exception:  # what pydicom cannot take apart never reaches this project's reader
            return
        refused(lambda: _check(dataset, series))

    return Target(_seeds(series), read)


def _check(dataset: Dataset, series: Series) -> None:
    found: SegmentationLabel = read_segmentation(dataset, series)
    referenced_series(dataset)
    assert found.classes.shape == series.shape
    assert int(found.classes.max()) <= len(found.names)


def _series() -> Series:
    headers = make_series(np.zeros(_SHAPE, np.int16))
    for number, header in enumerate(headers):
        # the same in every run, so that an input that was kept can be read again
        header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
        header.FrameOfReferenceUID, header.SOPInstanceUID = "1.2.3.3", f"1.2.3.4.{number}"
    return stack(headers, [Path(f"{number}.dcm") for number in range(len(headers))])


def _seeds(series: Series) -> tuple[bytes, ...]:
    classes = np.zeros(series.shape, np.uint8)
    classes[1:4, 2:4, 1:3] = 1
    classes[5, 4, 3] = 2
    found = []
    for planes in (None, [Plane(2, 1), Plane(0, 5)]):
        buffer = BytesIO()
        segmentation = write_segmentation(classes, _NAMES, series, planes=planes)
        pydicom.dcmwrite(buffer, segmentation, write_like_original=False)
        found.append(buffer.getvalue())
    return tuple(found)
