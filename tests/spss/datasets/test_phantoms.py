"""Phantoms have what real anatomies have: ends, neighbours, texture, differences."""

from pathlib import Path

import numpy as np
import pytest

from spss.datasets import make_phantoms
from spss.errors import InputError
from spss.volumes import read_image, read_label


@pytest.mark.parametrize("class_count", [2, 3, 5])
def test_every_class_is_there_and_the_organ_ends_inside(tmp_path: Path, class_count: int) -> None:
    dataset = make_phantoms(tmp_path, 8, class_count=class_count)
    assert len(dataset.class_names) == class_count
    for case in dataset.cases:
        assert case.label is not None
        label = read_label(case.label, like=read_image(case.image), class_count=class_count)
        assert set(np.unique(label)) == set(range(class_count))
        for axis in range(3):
            assert not np.take(label, [0, -1], axis=axis).any()


def test_classes_differ_in_brightness_but_not_by_a_threshold(tmp_path: Path) -> None:
    for case in make_phantoms(tmp_path, 3).cases:
        assert case.label is not None
        image, label = read_image(case.image).data, read_label(case.label)
        means = [image[label == index].mean() for index in range(3)]
        assert means[1] > means[2] + 80 > means[0] + 160
        low, high = np.percentile(image[label == 2], [5, 95])
        assert ((image > low) & (image < high) & (label == 0)).sum() > 30


def test_the_seed_decides_the_voxels(tmp_path: Path) -> None:
    images = [
        read_image(make_phantoms(tmp_path / str(run), 2, seed=seed).cases[1].image).data
        for run, seed in enumerate((3, 3, 4))
    ]
    np.testing.assert_array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_impossible_phantoms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 to 5 classes"):
        make_phantoms(tmp_path, 1, class_count=1)
