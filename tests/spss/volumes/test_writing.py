"""Writing: on the source grid, complete or not at all."""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spss.errors import InputError
from spss.volumes import Grid, read_grid, read_label, replace_atomically, write_label, write_map


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_label_lies_on_the_source_grid_in_every_orientation(
    tmp_path: Path, ending: str, order: tuple[int, ...]
) -> None:
    classes = np.random.default_rng(0).integers(0, 4, (3, 4, 5)).astype(np.uint8)
    for number, signs in enumerate(product((1, -1), repeat=3)):
        affine = np.zeros((4, 4))
        affine[order, range(3)] = np.array(signs) * (0.7, 1.0, 5.0)
        affine[:, 3] = [1, 2, 3, 1]
        path = tmp_path / f"{number}.{ending}"
        grid = Grid((3, 4, 5), affine, "source")
        write_label(path, classes, like=grid)
        np.testing.assert_array_equal(read_label(path, like=grid), classes)


def test_sform_and_qform_agree_so_that_all_readers_do(tmp_path: Path) -> None:
    affine = np.diag([-2.0, 1.0, 3.0, 1.0])
    write_label(tmp_path / "l.nii", np.zeros((2, 2, 2), np.uint8), like=Grid((2, 2, 2), affine))
    image = nib.load(tmp_path / "l.nii")
    np.testing.assert_allclose(image.get_sform(), image.get_qform(), atol=1e-5)
    assert int(image.header["sform_code"]) == 1


def test_another_shape_or_ending_is_refused(tmp_path: Path) -> None:
    grid = Grid((2, 2, 2), np.eye(4), "source")
    with pytest.raises(InputError, match=r"shape \(2, 2, 3\) but source has \(2, 2, 2\)"):
        write_label(tmp_path / "l.nii", np.zeros((2, 2, 3), np.uint8), like=grid)
    with pytest.raises(InputError, match="use one of the endings"):
        write_map(tmp_path / "l.png", np.zeros((2, 2, 2), np.float32), like=grid)


def test_an_error_while_writing_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old", encoding="utf-8")

    def fail() -> None:
        with replace_atomically(path) as unfinished:
            unfinished.write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot write"):
        write_map(
            tmp_path / "file" / "m.nii",
            np.zeros((2, 2, 2), np.float32),
            like=Grid((2, 2, 2), np.eye(4)),
        )


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "m.nii.gz"
    write_map(path, np.zeros((2, 3, 2), np.float32), like=Grid((2, 3, 2), np.eye(4)))
    assert read_grid(path).shape == (2, 3, 2)
