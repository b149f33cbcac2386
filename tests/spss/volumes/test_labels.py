"""Label maps: whole class indices on the image's grid, or one clear sentence."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import UNDECIDED
from spss.volumes import Volume, read_label, read_label_planes

IMAGE = Volume(np.zeros((4, 5, 6), np.float32), np.diag([1.0, 1.0, 2.0, 1.0]), "scan")


def save(
    path: Path, data: np.ndarray, affine: np.ndarray = IMAGE.affine, dtype: str = "uint8"
) -> Path:
    nib.save(nib.Nifti1Image(data.astype(dtype), affine), path)
    return path


@pytest.fixture
def classes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, IMAGE.shape)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_class_indices_are_read_whatever_the_stored_type(
    tmp_path: Path, classes: np.ndarray, dtype: str
) -> None:
    path = save(tmp_path / "l.nii.gz", classes, dtype=dtype)
    read = read_label(path, like=IMAGE, class_count=3)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, classes)


def test_a_label_of_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", np.zeros((4, 5, 7)))
    with pytest.raises(InputError, match=r"l has shape \(4, 5, 7\) but image scan has \(4, 5, 6\)"):
        read_label(path, like=IMAGE)


def test_a_shifted_label_is_refused_and_the_entries_are_named(
    tmp_path: Path, classes: np.ndarray
) -> None:
    shifted = IMAGE.affine.copy()
    shifted[1, 3] += 0.01
    with pytest.raises(InputError, match=r"row 1 column 3: 0\.0100 against 0\.0000"):
        read_label(save(tmp_path / "l.nii.gz", classes, shifted), like=IMAGE)


def test_rounding_in_the_affine_is_accepted(tmp_path: Path, classes: np.ndarray) -> None:
    rounded = IMAGE.affine.copy()
    rounded[:3] += 5e-4
    np.testing.assert_array_equal(
        read_label(save(tmp_path / "l.nii.gz", classes, rounded), like=IMAGE), classes
    )


def test_interpolated_labels_are_refused(tmp_path: Path, classes: np.ndarray) -> None:
    path = save(tmp_path / "l.nii.gz", classes + 0.5 * (classes == 1), dtype="float32")
    with pytest.raises(InputError, match=r"no whole number, such as 1\.5"):
        read_label(path)


def test_nan_in_a_label_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", np.full(IMAGE.shape, np.nan), dtype="float32")
    with pytest.raises(InputError, match="NaN or infinite"):
        read_label(path)


@pytest.mark.parametrize("value", [3, -1, 300])
def test_an_unknown_value_is_named(tmp_path: Path, classes: np.ndarray, value: int) -> None:
    classes[1, 1, 1] = value
    path = save(tmp_path / "l.nii.gz", classes, dtype="int16")
    with pytest.raises(InputError, match=rf"l has the value {value}, .* between 0 .* and 2"):
        read_label(path, class_count=3)


def test_undecided_voxels_are_accepted_only_where_asked_for(
    tmp_path: Path, classes: np.ndarray
) -> None:
    classes[0] = UNDECIDED
    path = save(tmp_path / "l.nii.gz", classes)
    with pytest.raises(InputError, match="255"):
        read_label(path, class_count=3)
    assert (read_label(path, class_count=3, allow_undecided=True)[0] == UNDECIDED).all()


def test_an_empty_label_is_read_unless_it_must_not_be(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", np.zeros(IMAGE.shape))
    assert not read_label(path).any()
    with pytest.raises(InputError, match="Label l is empty"):
        read_label(path, allow_empty=False)


def test_nothing_outside_the_planes_is_looked_at(tmp_path: Path, classes: np.ndarray) -> None:
    poisoned = classes.astype(float)
    poisoned[:, :, :3] = np.nan
    poisoned[:, :, 4:] = 77.7
    path = save(tmp_path / "l.nii.gz", poisoned, dtype="float32")
    planes = read_label_planes(path, [Plane(2, 3)], like=IMAGE, class_count=3)
    np.testing.assert_array_equal(planes[:, :, 3], classes[:, :, 3])
    assert not planes[:, :, :3].any()
    assert not planes[:, :, 4:].any()


def test_a_plane_outside_the_volume_is_refused(tmp_path: Path, classes: np.ndarray) -> None:
    path = save(tmp_path / "l.nii.gz", classes)
    with pytest.raises(InputError, match="use an index from 0 to 3"):
        read_label_planes(path, [Plane(0, 4)])
