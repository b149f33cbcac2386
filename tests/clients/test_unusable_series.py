from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import generate_uid

from spss.errors import InputError
from spss_apps.clients.desk import Desk
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.orthanc import Orthanc
from spss_apps.clients.unusable import UNUSABLE, Spoil


@pytest.mark.parametrize(("words", "spoil"), UNUSABLE.items(), ids=UNUSABLE)
def test_a_series_that_is_no_volume_is_refused_and_remembered(
    orthanc: Orthanc, desk: Desk, spoil: Spoil, words: str
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
