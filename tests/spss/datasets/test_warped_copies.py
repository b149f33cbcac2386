"""Warped copies differ, stay labelled exactly, and lie where the scan lies."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from spss.datasets.phantoms import draw_phantom
from spss.datasets.warped_copies import MARGIN_MM, make_warped_copies
from spss.errors import InputError
from spss.volumes import Grid, read_image, read_label, write_label, write_map

NAMES = ("background", "front", "back")
AFFINE = np.array([[-2.0, 0, 0, 50], [0, 0, 2.0, -30], [0, 2.0, 0, 10], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Path, Path]:
    image, label = draw_phantom(np.random.default_rng(0), (40, 42, 38), noise=0.0)
    grid = Grid(label.shape, AFFINE, "scan")
    image = np.where(label > 0, 1000.0 * label, 0.1 * image).astype(np.float32)
    write_map(tmp_path / "scan.nii.gz", image, like=grid)
    write_label(tmp_path / "label.nii.gz", label, like=grid)
    return tmp_path / "scan.nii.gz", tmp_path / "label.nii.gz"


def test_copies_differ_and_their_labels_follow_the_image(
    tmp_path: Path, scan: tuple[Path, Path]
) -> None:
    dataset = make_warped_copies(
        tmp_path / "copies", *scan, class_names=NAMES, count=4, spacing_mm=3.0, seed=1
    )
    labels = []
    for case in dataset.cases:
        assert case.label is not None
        image = read_image(case.image)
        labels.append(read_label(case.label, like=image, class_count=3))
        np.testing.assert_allclose(image.spacing_mm, 3.0, atol=1e-5)
        bright = image.data > 500  # organ voxels are 1000 and 2000, all others below 100
        overlap = 2 * (bright & (labels[-1] > 0)).sum() / (bright.sum() + (labels[-1] > 0).sum())
        assert overlap > 0.9
    assert all((first != second).mean() > 0.01 for first, second in pairwise(labels))


def test_the_organ_stays_inside_its_margin(tmp_path: Path, scan: tuple[Path, Path]) -> None:
    dataset = make_warped_copies(
        tmp_path / "copies", *scan, class_names=NAMES, count=3, spacing_mm=3.0
    )
    truth = np.argwhere(read_label(scan[1]) > 0)
    centre = (AFFINE @ np.append(truth.mean(axis=0), 1))[:3]
    for case in dataset.cases:
        assert case.label is not None
        voxels = np.argwhere(read_label(case.label) > 0).mean(axis=0)
        place = (read_image(case.image).affine @ np.append(voxels, 1))[:3]
        assert np.linalg.norm(place - centre) < MARGIN_MM


def test_the_seed_decides(tmp_path: Path, scan: tuple[Path, Path]) -> None:
    first, again, other = (
        read_image(
            make_warped_copies(
                tmp_path / str(run), *scan, class_names=NAMES, count=1, spacing_mm=3.0, seed=seed
            )
            .cases[0]
            .image
        ).data
        for run, seed in enumerate((7, 7, 8))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_empty_label_gives_no_cohort(tmp_path: Path, scan: tuple[Path, Path]) -> None:
    grid = read_image(scan[0]).grid
    write_label(scan[1], np.zeros(grid.shape, np.uint8), like=grid)
    with pytest.raises(InputError, match="empty"):
        make_warped_copies(tmp_path / "c", *scan, class_names=NAMES, count=1, spacing_mm=3.0)
