"""Segmentations that cannot be trusted: each is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from spss.errors import InputError
from spss.types import ClassMap
from spss_app.dicomweb.segmentation_reader import read_segmentation, referenced_series
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series

NAMES = ("background", "anterior", "hinterer", "tumour")


def stored(dataset: Dataset) -> bytes:
    """As the PACS holds it."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, write_like_original=False)
    return buffer.getvalue()


def _twins(segmentation: Dataset) -> None:
    segmentation.SegmentSequence[1].SegmentLabel = "anterior"


def _nameless(segmentation: Dataset) -> None:
    segmentation.SegmentSequence[1].SegmentLabel = ""


def _overlap(segmentation: Dataset) -> None:
    groups = segmentation.PerFrameFunctionalGroupsSequence
    first, last = groups[0], groups[len(groups) - 1]
    segmentation.PixelData = b"\xff" * len(segmentation.PixelData)
    last.PlanePositionSequence = first.PlanePositionSequence


def _other_series(segmentation: Dataset) -> None:
    segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"


def _other_frame(segmentation: Dataset) -> None:
    segmentation.FrameOfReferenceUID = "1.2.3"


def _other_grid(segmentation: Dataset) -> None:
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].PixelSpacing = [1.0, 1.0]


def _outside(segmentation: Dataset) -> None:
    group = segmentation.PerFrameFunctionalGroupsSequence[0]
    step = np.array(
        segmentation.PerFrameFunctionalGroupsSequence[4]
        .PlanePositionSequence[0]
        .ImagePositionPatient,
        float,
    ) - np.array(
        segmentation.PerFrameFunctionalGroupsSequence[3]
        .PlanePositionSequence[0]
        .ImagePositionPatient,
        float,
    )
    place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) + 30 * step
    group.PlanePositionSequence[0].ImagePositionPatient = [round(v, 6) for v in place.tolist()]


def _torn(segmentation: Dataset) -> None:
    segmentation.PixelData = segmentation.PixelData[:10]


def _no_places(segmentation: Dataset) -> None:
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence


def _numberless(segmentation: Dataset) -> None:
    del segmentation.SegmentSequence[0].SegmentNumber


def _placeless(segmentation: Dataset) -> None:
    del (
        segmentation.PerFrameFunctionalGroupsSequence[0]
        .PlanePositionSequence[0]
        .ImagePositionPatient
    )


def _doubled(segmentation: Dataset) -> None:
    segmentation.SegmentSequence[0].SegmentNumber = [1, 2]


def _groupless(segmentation: Dataset) -> None:
    segmentation.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_twins, "two segments named 'anterior'"),
        (_nameless, "segment without a label"),
        (_overlap, "to both 'anterior' and 'tumour'"),
        (_other_series, r"belongs to series 1\.2\.3"),
        (_other_frame, "another frame of reference"),
        (_other_grid, "another grid"),
        (_outside, "reaches outside"),
        (_torn, "pixel data of .* is damaged"),
        (_no_places, "where its frames lie"),
        (_numberless, "damaged"),
        (_placeless, "damaged"),
        (_doubled, "damaged"),
        (_groupless, "damaged"),
    ],
)
def test_a_segmentation_that_cannot_be_trusted_is_refused_in_one_sentence(
    series: Series, classes: ClassMap, spoil: Callable[[Dataset], None], words: str
) -> None:
    segmentation = pydicom.dcmread(BytesIO(stored(write_segmentation(classes, NAMES, series))))
    spoil(segmentation)
    with pytest.raises(InputError, match=words) as refusal:
        read_segmentation(segmentation, series)
    assert segmentation.SOPInstanceUID in str(refusal.value)


# pydicom warns of such values; outside of tests a warning stops nothing.
@pytest.mark.filterwarnings("ignore:.*nvalid value for VR UI")
def test_a_damaged_identifier_does_not_get_into_the_sentence(
    series: Series, classes: ClassMap
) -> None:
    data = stored(write_segmentation(classes, NAMES, series))
    segmentation = pydicom.dcmread(BytesIO(data))
    _twins(segmentation)
    wild = RawDataElement(Tag("SOPInstanceUID"), "UI", 400, b"1\\2\n" * 100, 0, False, True)
    segmentation._dict[wild.tag] = wild
    with pytest.raises(InputError, match="without a usable UID has two segments") as refusal:
        read_segmentation(segmentation, series)
    assert len(str(refusal.value)) < 300
    assert "\n" not in str(refusal.value)


def test_values_that_cannot_be_decoded_are_refused_in_one_sentence(
    series: Series, classes: ClassMap
) -> None:
    data = stored(write_segmentation(classes, NAMES, series))
    number = b"\x62\x00\x04\x00US\x02\x00\x01\x00"  # SegmentNumber 1
    assert number in data
    torn = data.replace(number, number.replace(b"US", b"QQ"))
    with pytest.raises(InputError, match=r"damaged.*store it again") as refusal:
        read_segmentation(pydicom.dcmread(BytesIO(torn)), series)
    assert "\n" not in str(refusal.value)


def test_a_reference_that_is_none_names_no_series() -> None:
    for items in ([Dataset()], []):
        dataset = Dataset()
        dataset.ReferencedSeriesSequence = items
        assert referenced_series(dataset) is None
    assert referenced_series(Dataset()) is None


@pytest.mark.parametrize(
    ("shape", "value", "words"),
    [
        ((12, 9, 7), 0, "no voxel of any class"),
        ((12, 9, 7), 9, "class 9"),
        ((9, 12, 7), 1, "shape"),
    ],
)
def test_a_label_that_is_no_segmentation_of_the_series_is_refused(
    series: Series, shape: tuple[int, int, int], value: int, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_segmentation(np.full(shape, value, np.uint8), NAMES, series)
