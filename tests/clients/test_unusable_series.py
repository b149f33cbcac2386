from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from spss.errors import InputError
from spss_apps.clients.desk import Desk
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.orthanc import Orthanc


def _colour(datasets: list[Dataset]) -> None:
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.PixelData = bytes(dataset.Rows * dataset.Columns * 3)


def _multi_frame(datasets: list[Dataset]) -> None:
    del datasets[1:]
    datasets[0].NumberOfFrames = 4
    datasets[0].PixelData = datasets[0].PixelData * 4


def _missing_slice(datasets: list[Dataset]) -> None:
    del datasets[2]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_colour, "colour image"),
        (_multi_frame, "multi-frame image"),
        (_missing_slice, "misses a slice"),
    ],
)
def test_a_series_that_is_no_volume_is_refused_and_remembered(
    orthanc: Orthanc, desk: Desk, spoil: Callable[[list[Dataset]], None], words: str
) -> None:
    datasets = make_series(np.zeros((10, 8, 6), np.int16))
    spoil(datasets)
    orthanc.store_datasets(datasets)
    uid = str(datasets[0].SeriesInstanceUID)
    with pytest.raises(InputError, match=words):
        desk.images.volume(uid)
    refusal = desk.images.refused()[uid]
    assert words in refusal.reason
    assert refusal.images == len(datasets)
    assert not (desk.images.root / f"{uid}.nii.gz").exists()


@pytest.mark.parametrize("uid", ["../../etc", "1.2/3", "", ".", "x" * 5, "1" * 65])
def test_an_id_that_is_no_uid_reaches_neither_disk_nor_pacs(desk: Desk, uid: str) -> None:
    with pytest.raises(InputError, match="no DICOM UID"):
        desk.images.volume(uid)


def test_an_unknown_series_is_said_to_be_unknown(desk: Desk) -> None:
    with pytest.raises(InputError, match="has no series"):
        desk.images.volume(generate_uid())
