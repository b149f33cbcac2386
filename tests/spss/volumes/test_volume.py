"""Reading images: what works in every format, and the one sentence for what cannot work."""

import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spss.errors import InputError
from spss.volumes import Volume, image_name, is_constant, read_grid, read_image, write_map

FORMATS = ["nii", "nii.gz", "nrrd", "seg.nrrd", "mha"]


@pytest.fixture
def volume() -> Volume:
    data = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    turned = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag([-1.0, 2.0, 3.5])
    affine[:3, 3] = [11.0, -22.0, 33.0]
    return Volume(data, affine, "oblique")


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


@pytest.mark.parametrize("ending", FORMATS)
def test_an_oblique_image_comes_back_as_it_was_written(
    tmp_path: Path, volume: Volume, ending: str
) -> None:
    path = tmp_path / f"Müller, Jörg.1 中.{ending}"
    write_map(path, volume.data, like=volume)
    read = read_image(path)
    assert read.name == "Müller, Jörg.1 中"
    np.testing.assert_array_equal(read.data, volume.data)
    np.testing.assert_allclose(read.affine, volume.affine, atol=1e-5)
    np.testing.assert_allclose(read.spacing_mm, (1, 2, 3.5), rtol=1e-6)
    assert read_grid(path).shape == (5, 6, 7)


@pytest.mark.parametrize("shape", [(9, 8, 1), (1, 1, 1), (3, 3, 3)])
@pytest.mark.parametrize("ending", FORMATS)
def test_one_slice_and_tiny_volumes_are_read(
    tmp_path: Path, shape: tuple[int, int, int], ending: str
) -> None:
    path = tmp_path / f"tiny.{ending}"
    write_map(path, np.ones(shape, np.float32), like=Volume(np.ones(shape, np.float32), np.eye(4)))
    assert read_image(path).shape == shape


def test_a_2d_image_is_one_slice_and_a_fourth_axis_of_one_is_dropped(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "a.nii", np.ones((4, 5)))).shape == (4, 5, 1)
    assert read_image(save(tmp_path / "b.nii", np.ones((4, 5, 6, 1)))).shape == (4, 5, 6)


def test_a_4d_image_is_named_with_its_shape(tmp_path: Path) -> None:
    path = save(tmp_path / "cine.nii.gz", np.ones((4, 5, 6, 3)))
    with pytest.raises(InputError, match=r"cine\.nii\.gz is 4-D with shape \(4, 5, 6, 3\)"):
        read_image(path)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_a_truncated_file_is_named(
    tmp_path: Path, volume: Volume, ending: str, kept: float
) -> None:
    path = tmp_path / f"cut.{ending}"
    write_map(path, volume.data, like=volume)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(
        InputError, match=rf"^File cut\.{ending} cannot be read.*export it again\.$"
    ):
        read_image(path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_with_other_bytes_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"noise.{ending}"
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(InputError, match=rf"noise\.{ending} cannot be read"):
        read_image(path)


def test_a_flipped_byte_in_compressed_voxels_is_found(tmp_path: Path, volume: Volume) -> None:
    path = tmp_path / "flipped.nii.gz"
    write_map(path, volume.data, like=volume)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="flipped"):
        read_image(path)


def test_a_header_that_promises_more_voxels_than_memory_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.nii", np.ones((3, 3, 3), np.float64))
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([32000, 32000, 32000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    path = path.rename(tmp_path / "bomb.nii.gz")
    with pytest.raises(InputError, match="bomb"):
        read_image(path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_zero_byte_file_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"empty.{ending}"
    path.touch()
    with pytest.raises(InputError, match=r"is empty \(0 bytes\)"):
        read_image(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_counted(tmp_path: Path, bad: float) -> None:
    data = np.zeros((4, 4, 4), np.float32)
    data[1, 2, :3] = bad
    with pytest.raises(InputError, match="nan has 3 of 64 voxels"):
        read_image(save(tmp_path / "nan.nii", data))


def test_values_beyond_float32_count_as_infinite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="huge has 27 of 27 voxels"):
        read_image(save(tmp_path / "huge.nii", np.full((3, 3, 3), 1e300)))


def test_a_constant_image_is_read_and_flagged(tmp_path: Path, volume: Volume) -> None:
    flat = read_image(save(tmp_path / "flat.nii", np.full((4, 4, 4), 7, np.int16)))
    assert is_constant(flat.data)
    assert not is_constant(volume.data)


def test_colour_and_complex_images_are_refused(tmp_path: Path) -> None:
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match="colour or complex"):
        read_image(save(tmp_path / "rgb.nii", rgb))
    with pytest.raises(InputError, match="colour or complex"):
        read_image(save(tmp_path / "complex.nii", np.zeros((3, 3, 3), np.complex64)))


def test_layers_of_a_segmentation_are_refused(tmp_path: Path) -> None:
    import SimpleITK as sitk

    path = tmp_path / "layers.seg.nrrd"
    layers = sitk.GetImageFromArray(np.zeros((4, 4, 4, 2), np.uint8), isVector=True)
    sitk.WriteImage(layers, str(path))
    with pytest.raises(InputError, match="2 values per voxel"):
        read_image(path)


def test_an_affine_that_flattens_space_is_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.ones((3, 3, 3)), np.eye(4))
    image.header["srow_z"] = 0
    image.header["sform_code"] = 1
    nib.save(image, tmp_path / "flat.nii")
    content = bytearray((tmp_path / "flat.nii").read_bytes())
    content[312:328] = bytes(16)  # srow_z of the NIfTI-1 header
    (tmp_path / "flat.nii").write_bytes(bytes(content))
    with pytest.raises(InputError, match="flattens space"):
        read_image(tmp_path / "flat.nii")


def test_absent_files_and_unknown_endings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_image(tmp_path / "absent.nii.gz")
    (tmp_path / "scan.xyz").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"scan\.xyz is no image format known here"):
        read_image(tmp_path / "scan.xyz")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("patient.1.nii.gz", "patient.1"),
        ("a b.SEG.NRRD", "a b"),
        ("1.2.840.nii", "1.2.840"),
        ("no_ending", "no_ending"),
        (".nii", ".nii"),
    ],
)
def test_names_lose_only_the_image_ending(file: str, name: str) -> None:
    assert image_name(file) == name


class TestDicomFolder:
    @pytest.fixture
    def series(self, tmp_path: Path) -> Path:
        """Eight slices 3 mm apart, written by SimpleITK's GDCM."""
        import SimpleITK as sitk

        folder = tmp_path / "series 1"
        folder.mkdir()
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        for index in range(8):
            slice_ = sitk.GetImageFromArray(np.full((1, 6, 5), index, np.int16))
            slice_.SetSpacing((1.5, 2.0, 3.0))
            for key, value in {
                "0008|0060": "CT",
                "0020|000d": "1.2.3",
                "0020|000e": "1.2.3.4",
                "0008|0018": f"1.2.3.4.{index + 1}",
                "0020|0032": f"10\\20\\{3.0 * index}",
                "0020|0037": "1\\0\\0\\0\\1\\0",
                "0020|0013": str(index + 1),
            }.items():
                slice_.SetMetaData(key, value)
            writer.SetFileName(str(folder / f"{index}.dcm"))
            writer.Execute(slice_)
        return folder

    def test_one_series_is_a_volume_in_ras(self, series: Path) -> None:
        volume = read_image(series)
        assert volume.name == "series 1"
        assert volume.shape == (5, 6, 8)
        np.testing.assert_allclose(volume.data[0, 0], np.arange(8))
        expected = np.diag([-1.5, -2.0, 3.0, 1.0])
        expected[:2, 3] = [-10, -20]
        np.testing.assert_allclose(volume.affine, expected, atol=1e-6)

    def test_a_missing_slice_is_found(self, series: Path) -> None:
        (series / "4.dcm").unlink()
        with pytest.raises(
            InputError, match=r"3\.000 mm apart but 6\.000 mm between slice 3 and 4"
        ):
            read_image(series)

    def test_a_folder_without_series_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no DICOM series"):
            read_image(tmp_path)

    def test_two_series_are_refused(self, series: Path, tmp_path: Path) -> None:
        import SimpleITK as sitk

        image = sitk.ReadImage(str(series / "0.dcm"))
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        image.SetMetaData("0020|000e", "9.9.9")
        writer.SetFileName(str(series / "other.dcm"))
        writer.Execute(image)
        with pytest.raises(InputError, match="holds 2 DICOM series"):
            read_image(series)

    def test_a_damaged_slice_is_refused(self, series: Path) -> None:
        content = (series / "3.dcm").read_bytes()
        (series / "3.dcm").write_bytes(content[: len(content) - 40])
        with pytest.raises(InputError, match="series 1"):
            read_image(series)

    def test_a_single_dicom_file_is_a_slice(self, series: Path, tmp_path: Path) -> None:
        path = shutil.copy(series / "2.dcm", tmp_path / "one.dcm")
        assert read_image(path).shape == (5, 6, 1)
