import math

import pytest
import torch

from spss.refinement import beyond_reach


def _ball(radius_mm, shape=(32, 32, 32), spacing=(1.0, 1.0, 1.0)):
    axes = [
        (torch.arange(size) - size // 2) * step for size, step in zip(shape, spacing, strict=True)
    ]
    grid = torch.meshgrid(*axes, indexing="ij")
    return (sum(axis.square() for axis in grid) <= radius_mm**2)[None]


def test_reach_ends_one_radius_from_a_ball():
    beyond = beyond_reach(_ball(5.0), (1.0, 1.0, 1.0))
    line = beyond[0, :, 16, 16]
    assert not line[16 - 10 : 16 + 11].any()
    assert line[: 16 - 11].all()
    assert line[16 + 12 :].all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 3.0), (2.0, 1.0, 1.0)])
def test_reach_is_measured_in_millimetres(spacing):
    shape = tuple(round(32 / step) for step in spacing)
    beyond = beyond_reach(_ball(5.0, shape, spacing), spacing)
    for axis, step in enumerate(spacing):
        centre = [size // 2 for other, size in enumerate(shape) if other != axis]
        line = beyond[0].movedim(axis, -1)[tuple(centre)]
        near = int((~line).sum()) * step
        assert math.isclose(near, 21, abs_tol=2 * step)


def test_the_reach_grows_with_the_structure():
    small, large = (int(beyond_reach(_ball(r), (1.0,) * 3).sum()) for r in (3.0, 6.0))
    assert large < small


def test_without_a_structure_everything_is_beyond():
    nothing = torch.zeros((2, 8, 8, 8), dtype=torch.bool)
    assert beyond_reach(nothing, (1.0, 1.0, 1.0)).all()


def test_patches_do_not_see_each_other():
    pair = torch.cat([_ball(5.0), torch.zeros_like(_ball(5.0))])
    beyond = beyond_reach(pair, (1.0, 1.0, 1.0))
    assert beyond[1].all()
    assert not beyond[0].all()
