from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss.types import ClassMap
from spss_app.dicomweb.segmentation_reader import read_segmentation, referenced_series
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series, read_series, stack
from spss_apps.clients.dicom_series import make_series

NAMES = ("background", "anterior", "hinterer Teil größer als sechzehn Zeichen", "tumour")


def written(dataset: Dataset) -> Dataset:
    """What another program reads: the bytes, not our object."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, write_like_original=False)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def test_a_label_comes_back_voxel_for_voxel_with_its_names(
    series: Series, classes: ClassMap
) -> None:
    label = read_segmentation(written(write_segmentation(classes, NAMES, series)), series)
    assert label.names == ("anterior", "tumour")
    assert np.array_equal(label.classes == 1, classes == 1)
    assert np.array_equal(label.classes == 2, classes == 3)
    assert label.planes is None


def test_names_outside_ascii_survive(series: Series, classes: ClassMap) -> None:
    classes[classes == 3] = 2
    label = read_segmentation(written(write_segmentation(classes, NAMES, series)), series)
    assert label.names[1] == NAMES[2]


def test_frame_of_reference_patient_and_positions_are_those_of_the_images(
    series: Series, classes: ClassMap
) -> None:
    segmentation = written(write_segmentation(classes, NAMES, series))
    source = series.headers[0]
    for keyword in ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientName"):
        assert segmentation[keyword].value == source[keyword].value
    assert referenced_series(segmentation) == series.uid
    by_uid = {header.SOPInstanceUID: header for header in series.headers}
    assert segmentation.NumberOfFrames == 1 + 3 + 5
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert list(position) == list(by_uid[image].ImagePositionPatient)


def test_highdicom_reads_the_same_voxels(series: Series, classes: ClassMap) -> None:
    segmentation = highdicom.seg.Segmentation.from_dataset(
        written(write_segmentation(classes, NAMES, series)), copy=False
    )
    pixels = segmentation.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in series.headers],
        combine_segments=True,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    expected = np.where(classes == 3, 2, classes).transpose(2, 1, 0)
    assert np.array_equal(pixels, expected)


def test_dcmqi_puts_every_voxel_at_the_same_place(
    series: Series, classes: ClassMap, tmp_path: Path
) -> None:
    program = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
    assert program is not None
    classes[:, :, 4:] = np.where(classes[:, :, 4:] == 1, 3, classes[:, :, 4:])
    classes = np.where(classes == 3, 3, 0).astype(np.uint8)
    pydicom.dcmwrite(tmp_path / "seg.dcm", write_segmentation(classes, NAMES, series))
    command = [program, "--inputDICOM", str(tmp_path / "seg.dcm"), "--outputType", "nrrd"]
    subprocess.run(
        [*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True, timeout=60
    )
    image = sitk.ReadImage(str(tmp_path / "1.nrrd"))
    array = sitk.GetArrayFromImage(image)
    theirs = {
        tuple(np.round(image.TransformIndexToPhysicalPoint([int(i), int(j), int(k)]), 2))
        for k, j, i in np.argwhere(array)
    }
    ours = {
        tuple(np.round((series.affine_lps @ [*voxel, 1])[:3], 2)) for voxel in np.argwhere(classes)
    }
    assert theirs == ours


def test_planes_travel_with_the_label(series: Series, classes: ClassMap) -> None:
    planes = (Plane(0, 3), Plane(2, 4))
    segmentation = written(write_segmentation(classes, NAMES, series, planes=planes))
    assert read_segmentation(segmentation, series).planes == planes


def test_images_without_names_and_dates_can_be_labelled(
    datasets: list[Dataset], save: Callable[[list[Dataset]], Path]
) -> None:
    for dataset in datasets:
        for keyword in ("PatientName", "PatientBirthDate", "StudyTime", "AccessionNumber"):
            delattr(dataset, keyword)
        dataset.PatientSex = "UNKNOWN"
    series = read_series(save(datasets))
    classes = np.ones(series.shape, np.uint8)
    segmentation = written(write_segmentation(classes, NAMES, series))
    assert np.array_equal(read_segmentation(segmentation, series).classes, classes)
    assert series.headers[0].get("PatientBirthDate") is None


@settings(max_examples=25, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 9.0)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    seed=st.integers(0, 1000),
)
def test_any_direction_spacing_and_origin_gives_the_same_voxels_back(
    turn: tuple[float, ...], spacing: tuple[float, ...], origin: tuple[float, ...], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*turn)
    matrix = np.array(euler.GetMatrix()).reshape(3, 3)
    datasets = make_series(
        generator.integers(0, 9, (5, 4, 6)).astype(np.int16),
        orientation=[round(float(value), 6) for value in (*matrix[:, 0], *matrix[:, 1])],
        spacing_mm=spacing,
        origin_lps_mm=origin,
    )
    series = stack(datasets, [Path(str(index)) for index in range(len(datasets))])
    classes = generator.integers(0, 4, series.shape).astype(np.uint8)
    label = read_segmentation(written(write_segmentation(classes, NAMES, series)), series)
    assert np.array_equal(label.classes, classes)


def test_a_cropped_and_flipped_grid_is_placed_by_its_geometry(
    series: Series, classes: ClassMap
) -> None:
    """As a viewer writes that keeps only the drawn region and another row direction."""
    segmentation = written(write_segmentation(classes, NAMES, series))
    frames = segmentation.pixel_array[:, :, 1:]  # first column dropped
    frames = frames[:, :, ::-1]
    segmentation.Columns -= 1
    bits = np.packbits(frames.ravel(), bitorder="little").tobytes()
    segmentation.PixelData = bits + b"\0" * (len(bits) % 2)
    row = series.affine_lps[:3, 0]
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [
        *(-float(value) for value in cosines[:3]),
        *(float(value) for value in cosines[3:]),
    ]
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, np.float64)
        moved = place + row * (series.shape[0] - 1)
        group.PlanePositionSequence[0].ImagePositionPatient = [round(v, 6) for v in moved.tolist()]
    classes[0] = 0
    assert np.array_equal(read_segmentation(segmentation, series).classes > 0, classes > 0)
