import numpy as np

from spss.volumes import robust_range


def test_a_few_bright_voxels_do_not_move_the_range() -> None:
    data = np.random.default_rng(0).normal(100, 10, (20, 20, 20)).astype(np.float32)
    low, high = robust_range(data)
    data.flat[:8] = 1e6
    np.testing.assert_allclose(robust_range(data), (low, high), rtol=0.02)


def test_a_mask_in_air_has_its_full_range() -> None:
    data = np.zeros((20, 20, 20), np.float32)
    data[10, 10, 10] = 5
    assert robust_range(data) == (0.0, 5.0)


def test_a_constant_image_has_no_range() -> None:
    assert robust_range(np.full((4, 4, 4), 3, np.float32)) == (3.0, 3.0)
