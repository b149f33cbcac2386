import pytest
import torch

from spss.errors import InputError
from spss.mixing import block_mask, box_mask


def test_box_is_one_box_with_sides_in_range() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = box_mask((20, 10, 7), count=50, generator=generator)
    assert masks.shape == (50, 1, 20, 10, 7)
    for mask in masks[:, 0]:
        sides = []
        for axis, size in enumerate(mask.shape):
            others = tuple(other for other in range(3) if other != axis)
            inside = mask.any(others[1]).any(others[0]).nonzero().flatten()
            sides.append(int(inside.max() - inside.min()) + 1)
            assert max(1, round(0.1 * size)) <= sides[-1] <= round(0.9 * size)
        assert int(mask.sum()) == sides[0] * sides[1] * sides[2]


def test_box_spans_the_full_axes() -> None:
    masks = box_mask((8, 9, 5), count=10, full_axes=(2,))
    assert torch.equal(masks.any(4, keepdim=True).expand_as(masks), masks)


def test_blocks_are_constant_and_exactly_the_ratio_is_masked() -> None:
    masks = block_mask((16, 8, 12), count=5, blocks=4, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(masks[0], masks[1])
    for mask in masks:
        assert float(mask.float().mean()) == 0.5
        blocks = mask[0].reshape(4, 4, 4, 2, 4, 3).float().mean((1, 3, 5))
        assert set(blocks.flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 9, 2), (31, 33, 10)])
def test_any_size_is_covered_by_blocks_of_nearly_equal_size(shape: tuple[int, ...]) -> None:
    assert block_mask(shape, blocks=4).shape == (1, 1, *shape)
    assert block_mask(shape, blocks=4, ratio=0.0).all()
    assert not block_mask(shape, blocks=4, ratio=1.0).any()


def test_same_generator_same_mask() -> None:
    for make in (box_mask, block_mask):
        first, second = (
            make((9, 8, 7), count=2, generator=torch.Generator().manual_seed(5)) for _ in range(2)
        )
        assert torch.equal(first, second)


def test_impossible_masks_are_refused() -> None:
    with pytest.raises(InputError, match="side range must lie in 0…1"):
        box_mask((4, 4, 4), side_range=(0.9, 0.1))
    with pytest.raises(InputError, match="share of blocks must lie in 0…1, got 2"):
        block_mask((4, 4, 4), ratio=2)
    with pytest.raises(InputError, match="one count ≥ 1 an axis"):
        block_mask((4, 4, 4), blocks=(2, 2))
