import numpy as np
import pytest

from spss.errors import InputError
from spss.training import TrainingCase
from spss.training.fingerprint import canonical_grid, take_fingerprint
from spss.volumes import Volume, write_map


def _write(path, shape, affine):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_map(path, data, like=Volume(data, affine))
    return TrainingCase(path.name, path)


def test_shapes_are_compared_in_one_orientation(tmp_path):
    turned = np.zeros((4, 4))
    turned[0, 1], turned[1, 0], turned[2, 2], turned[3, 3] = 3.0, -2.0, 5.0, 1.0
    cases = [
        _write(tmp_path / "a.nii.gz", (6, 7, 8), np.diag([3.0, 2.0, 5.0, 1.0])),
        _write(tmp_path / "b.nii.gz", (7, 6, 8), turned),
    ]
    fingerprint = take_fingerprint(cases)
    assert np.array_equal(fingerprint.shapes, [(6, 7, 8)] * 2)
    assert np.allclose(fingerprint.spacings_mm, [(3, 2, 5)] * 2)


def test_canonical_grid_follows_an_oblique_affine():
    affine = np.eye(4)
    affine[:3, :3] = [[0.1, 0, 4], [2, 0.1, 0], [0, 3, 0.1]]
    shape, spacing = canonical_grid((5, 6, 7), affine)
    assert shape == (7, 5, 6)
    assert spacing == pytest.approx((4.0, 2.0, 3.0), abs=0.02)


def test_a_broken_file_is_named_and_the_others_count(tmp_path):
    good = _write(tmp_path / "good.nii.gz", (6, 7, 8), np.eye(4))
    broken = TrainingCase("broken", tmp_path / "broken.nii.gz")
    broken.image.write_bytes(b"")
    fingerprint = take_fingerprint([broken, good])
    assert list(fingerprint.unreadable) == ["broken"]
    assert len(fingerprint.shapes) == 1


def test_nothing_readable_is_an_error_that_says_why(tmp_path):
    with pytest.raises(InputError, match="None of the 1 training images"):
        take_fingerprint([TrainingCase("gone", tmp_path / "gone.nii.gz")])
