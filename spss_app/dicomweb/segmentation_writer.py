"""A class map on a series' grid, written as a DICOM Segmentation with highdicom."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import version

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import ClassMap
from spss_app.dicomweb.series import Series

PRIVATE_GROUP = 0x0099
"""Odd, as DICOM asks of private groups (PS3.5, 7.8)."""

PRIVATE_CREATOR = "SPSS ANNOTATION"

_CATEGORY = Code("91723000", "SCT", "Anatomical structure")
_MAX_CODE = 16  # characters of a CodeValue (VR SH)
_MAX_TEXT = 64  # characters of a CodeMeaning, SegmentLabel or SeriesDescription (VR LO)
# Required but possibly empty (type 2) in the patient and study modules (PS3.3, C.7.1.1, C.7.2.1).
_TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
# Lab colours of Okabe and Ito's eight-colour palette for colour-blind readers, without black.
_CIELAB = (
    (71.0, 20.0, 73.0),
    (68.0, -15.0, -37.0),
    (55.0, -42.0, 16.0),
    (90.0, -11.0, 78.0),
    (46.0, -9.0, -47.0),
    (53.0, 48.0, 56.0),
    (63.0, 40.0, -15.0),
)


def write_segmentation(
    classes: ClassMap,
    class_names: Sequence[str],
    series: Series,
    *,
    planes: Sequence[Plane] | None = None,
    description: str = "SPSS labels",
    series_number: int = 900,
) -> Dataset:
    """Makes one DICOM SEG from a class map; only classes with voxels become segments.

    Args:
        classes: ``(I, J, K)`` uint8 on the series' grid, 0 = background.
        class_names: name of every class, ``class_names[0]`` is the background.
        series: the images the map belongs to; patient, study, frame of reference and positions
            come from their headers.
        planes: the planes a person annotated, kept in a private element, because a SEG cannot say
            "looked at, nothing there". None: the map is dense.
        description: SeriesDescription, what a viewer lists (cut to 64 characters).
        series_number: SeriesNumber of the new series.

    Raises:
        InputError: if the map is not on the series' grid, has a class without a name, or is empty.
    """
    present = _present_classes(classes, class_names, series)
    numbers = np.zeros(256, np.uint8)
    numbers[present] = np.arange(1, len(present) + 1)
    frames = np.transpose(numbers[classes], (2, 1, 0))  # (slice, row, column)
    segmentation = hd.seg.Segmentation(
        source_images=[_complete(header) for header in series.headers],
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _describe_segment(number, class_names[value])
            for number, value in enumerate(present, start=1)
        ],
        series_instance_uid=hd.UID(),
        series_number=series_number,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="SPSS",
        manufacturer_model_name="spss_app",
        software_versions=version("spss-monailabel"),
        device_serial_number="0",
        content_description=description[:_MAX_TEXT],
        content_label="SEGMENTATION",
        series_description=description[:_MAX_TEXT],
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    segmentation.PatientName = series.headers[0].get("PatientName", "")
    # highdicom copies the source's character set, which may not hold the class names.
    segmentation.SpecificCharacterSet = "ISO_IR 192"
    for item, value in zip(segmentation.SegmentSequence, present, strict=True):
        item.RecommendedDisplayCIELabValue = _dicom_cielab(_CIELAB[(value - 1) % len(_CIELAB)])
    if planes is not None:
        _add_planes(segmentation, planes)
    return segmentation


def _present_classes(classes: ClassMap, class_names: Sequence[str], series: Series) -> list[int]:
    """Classes with a voxel: a SEG cannot hold an empty segment, or none."""
    if classes.shape != series.shape:
        msg = (
            f"The label of series {series.uid} has shape {classes.shape}, its images "
            f"{series.shape}: submit a label on the grid of the images."
        )
        raise InputError(msg)
    present = [int(value) for value in np.unique(classes) if value != 0]
    if not present:
        msg = (
            f"The label of series {series.uid} has no voxel of any class: a DICOM SEG cannot hold "
            "that, it is kept in the ledger only."
        )
        raise InputError(msg)
    if present[-1] >= len(class_names):
        msg = (
            f"The label of series {series.uid} holds class {present[-1]}, but there are only the "
            f"classes {', '.join(class_names)}."
        )
        raise InputError(msg)
    return present


def _complete(header: Dataset) -> Dataset:
    """A copy with the elements that highdicom copies, empty where anonymisation removed them."""
    copied = Dataset()
    copied.update(header)
    for keyword in _TYPE_2:
        if header.get(keyword) is None:
            setattr(copied, keyword, "")
    # highdicom warns, with the name in the text, about names of one part; it is set afterwards.
    copied.PatientName = ""
    if copied.PatientSex not in ("M", "F", "O"):
        copied.PatientSex = ""
    if "NumberOfFrames" in copied:  # 1 here; its presence alone means multi-frame to highdicom
        del copied.NumberOfFrames
    return copied


def _describe_segment(number: int, name: str) -> hd.seg.SegmentDescription:
    """Number, name and the code that stands for the name."""
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:_MAX_TEXT],
        segmented_property_category=_CATEGORY,
        # Names are the user's own, so they live in a private coding scheme ("99" prefix, PS3.3
        # 8.2) and never borrow a SNOMED code that means something else.
        segmented_property_type=Code(_code_value(name), "99SPSS", name[:_MAX_TEXT]),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def _code_value(name: str) -> str:
    if re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{_MAX_CODE}}}", name):
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:_MAX_CODE]


def _dicom_cielab(lab: tuple[float, float, float]) -> list[int]:
    """Scales L* 0..100 and a*, b* -128..127 to 16 bits (DICOM PS3.3, C.10.7.1.1)."""
    lightness, a, b = lab
    scaled = (lightness / 100, (a + 128) / 255, (b + 128) / 255)
    return [round(65535 * value) for value in scaled]


def _add_planes(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    block = segmentation.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    text = json.dumps([{"axis": plane.axis, "index": plane.index} for plane in sorted(planes)])
    block.add_new(0x01, "UT", text)
