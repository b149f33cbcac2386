"""One damaged segmentation in the PACS does not keep the others from coming in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from spss_app.dicomweb.errors import PacsAwayError, PacsUnreadableError
from spss_app.dicomweb.exchange import Incoming, SegmentationExchange
from spss_app.dicomweb.pacs import FoundSeries
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series

NAMES = ("background", "front")


class PacsOf:
    """What is asked of a PACS here, answered from memory; an exception is raised."""

    def __init__(self, answers: list[Dataset | Exception], *, headers_too: bool) -> None:
        self._answers = {f"1.2.{number}": answer for number, answer in enumerate(answers)}
        self._headers_too = headers_too

    def find_series(self, filters: object) -> list[FoundSeries]:
        return [FoundSeries(uid, "1.1", "SEG", 1, {}) for uid in self._answers]

    def headers(self, study_uid: str, series_uid: str) -> list[Dataset]:
        answer = self._answers[series_uid]
        if isinstance(answer, Dataset):
            return [answer]
        if self._headers_too:
            raise answer
        header = pydicom.Dataset()
        header.SOPInstanceUID = "1.9"
        header.ReferencedSeriesSequence = next(
            each.ReferencedSeriesSequence
            for each in self._answers.values()
            if isinstance(each, Dataset)
        )
        return [header]

    def fetch_instance(self, study_uid: str, series_uid: str, uid: str) -> Dataset:
        answer = self._answers[series_uid]
        if isinstance(answer, Exception):
            raise answer
        return answer


class ImagesOf:
    """The one series that was fetched."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def series(self, image_id: str) -> Series:
        return self._series


def _drawn(series: Series) -> Dataset:
    classes = np.zeros(series.shape, np.uint8)
    classes[2:5, 2:6, 3] = 1
    return write_segmentation(classes, NAMES, series)


def _exchange(
    pacs: PacsOf, series: Series, folder: Path, received: list[Incoming]
) -> SegmentationExchange:
    def record(incoming: Incoming) -> str:
        received.append(incoming)
        return "understood"

    return SegmentationExchange(folder, pacs, ImagesOf(series), record)  # type: ignore[arg-type]


@pytest.mark.parametrize("headers_too", [True, False])
def test_an_unreadable_one_is_passed_over_and_the_next_comes_in(
    series: Series, tmp_path: Path, headers_too: bool, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[Incoming] = []
    damaged = PacsUnreadableError("something unreadable")
    pacs = PacsOf([damaged, _drawn(series)], headers_too=headers_too)
    exchange = _exchange(pacs, series, tmp_path, received)
    assert exchange.synchronise([series.uid]) == ("understood",)
    assert len(received) == 1
    assert "passed over" in caplog.text
    assert exchange.synchronise([series.uid]) == ()  # and it is looked at again


def test_one_with_damaged_values_is_refused_and_the_next_comes_in(
    series: Series, tmp_path: Path
) -> None:
    received: list[Incoming] = []
    damaged = _drawn(series)
    del damaged.SegmentSequence[0].SegmentNumber
    pacs = PacsOf([damaged, _drawn(series)], headers_too=False)
    exchange = _exchange(pacs, series, tmp_path, received)
    assert exchange.synchronise([series.uid]) == ("understood",)
    states = sorted(known.state for known in exchange.register.known().values())
    assert states == ["imported", "refused"]


def test_a_server_that_is_away_ends_the_import(series: Series, tmp_path: Path) -> None:
    pacs = PacsOf([PacsAwayError("away"), _drawn(series)], headers_too=True)
    with pytest.raises(PacsAwayError):
        _exchange(pacs, series, tmp_path, []).synchronise([series.uid])
