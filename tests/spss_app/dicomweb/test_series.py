from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset

from spss.errors import InputError
from spss_app.dicomweb.series import Series, read_series
from spss_app.dicomweb.volume_file import write_volume

Save = Callable[[list[Dataset]], Path]


def test_slices_are_ordered_by_place_not_by_file_name(
    series: Series, datasets: list[Dataset]
) -> None:
    assert [h.InstanceNumber for h in series.headers] == [d.InstanceNumber for d in datasets]
    assert series.shape == (12, 9, 7)


def test_every_voxel_lies_where_the_headers_say(series: Series, datasets: list[Dataset]) -> None:
    for k in (0, 3, 6):
        header = datasets[k]
        row, column = np.array(header.ImageOrientationPatient).reshape(2, 3)
        down, across = header.PixelSpacing
        expected = np.array(header.ImagePositionPatient) + 5 * across * row + 4 * down * column
        assert (series.affine_lps @ [5, 4, k, 1])[:3] == pytest.approx(expected, abs=1e-4)


def test_the_volume_file_has_the_pixels_and_the_affine(
    series: Series, datasets: list[Dataset], tmp_path: Path
) -> None:
    write_volume(series, tmp_path / "volume.nii.gz")
    image = nibabel.load(tmp_path / "volume.nii.gz")
    pixels = np.stack([dataset.pixel_array.T for dataset in datasets], axis=-1)
    assert np.array_equal(np.asarray(image.dataobj), pixels)
    assert np.abs(image.affine - series.affine).max() < 1e-4
    assert not list(tmp_path.glob(".*.nii.gz"))


def test_rescale_slope_and_intercept_reach_the_volume(
    datasets: list[Dataset], save: Save, tmp_path: Path
) -> None:
    for dataset in datasets:
        dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1000
    write_volume(read_series(save(datasets)), tmp_path / "volume.nii.gz")
    values = np.asarray(nibabel.load(tmp_path / "volume.nii.gz").dataobj)
    assert np.array_equal(values[:, :, 2], datasets[2].pixel_array.T * 2 - 1000)


def test_one_slice_takes_its_thickness(datasets: list[Dataset], save: Save) -> None:
    series = read_series(save(datasets[:1]))
    assert np.linalg.norm(series.affine[:3, 2]) == pytest.approx(2.5)


def _colour(datasets: list[Dataset]) -> None:
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"


def _multi_frame(datasets: list[Dataset]) -> None:
    datasets[0].NumberOfFrames = 12


def _missing_slice(datasets: list[Dataset]) -> None:
    del datasets[3]


def _time_series(datasets: list[Dataset]) -> None:
    datasets[3].ImagePositionPatient = datasets[2].ImagePositionPatient


def _localiser(datasets: list[Dataset]) -> None:
    datasets[3].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]


def _tilt(datasets: list[Dataset]) -> None:
    for index, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [float(x), float(y) + 0.5 * index, float(z)]


def _no_place(datasets: list[Dataset]) -> None:
    del datasets[2].ImagePositionPatient


def _sizes(datasets: list[Dataset]) -> None:
    datasets[1].Rows = 5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_colour, "colour image"),
        (_multi_frame, "multi-frame image"),
        (_missing_slice, "misses a slice"),
        (_time_series, "two images at the same place"),
        (_localiser, "different directions"),
        (_tilt, "gantry tilt"),
        (_no_place, "no ImagePositionPatient"),
        (_sizes, "different sizes"),
    ],
)
def test_what_is_no_regular_grey_stack_is_refused_in_one_sentence(
    datasets: list[Dataset], save: Save, spoil: Callable[[list[Dataset]], None], words: str
) -> None:
    spoil(datasets)
    with pytest.raises(InputError, match=words) as refusal:
        read_series(save(datasets))
    assert datasets[0].SeriesInstanceUID in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_foreign_file_is_named(datasets: list[Dataset], save: Save) -> None:
    folder = save(datasets)
    (folder / "notes.txt").write_text("not DICOM", encoding="utf-8")
    with pytest.raises(InputError, match=r"notes\.txt"):
        read_series(folder)
