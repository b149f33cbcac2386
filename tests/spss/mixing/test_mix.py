import pytest
import torch

from spss.errors import InputError
from spss.mixing import block_mask, cut_mix, mutual_mix

SHAPE = (6, 5, 4)


def volumes(start: int, count: int = 2) -> dict[str, torch.Tensor]:
    """Image, target and weight of a volume all carry the volume's number."""
    number = torch.arange(start, start + count).reshape(count, 1, 1, 1, 1).float()
    return {
        "image": number.expand(count, 1, *SHAPE),
        "target": number.expand(count, 3, *SHAPE) * 10,
        "weight": number.expand(count, 1, *SHAPE) * 100,
    }


def assert_consistent(mixed: dict[str, torch.Tensor]) -> None:
    torch.testing.assert_close(mixed["target"], 10 * mixed["image"].expand_as(mixed["target"]))
    torch.testing.assert_close(mixed["weight"], 100 * mixed["image"])


def test_targets_and_weights_follow_the_image() -> None:
    mask = block_mask(SHAPE, count=2, generator=torch.Generator().manual_seed(0))
    for mixed in mutual_mix(volumes(1), volumes(5), mask):
        assert_consistent(mixed)
        assert mixed["image"].unique().numel() == 4


def test_every_voxel_of_both_volumes_is_used_once() -> None:
    mask = block_mask(SHAPE, count=2, generator=torch.Generator().manual_seed(1))
    here, there = mutual_mix(volumes(1), volumes(5), mask)
    total = volumes(1)["image"] + volumes(5)["image"]
    torch.testing.assert_close(here["image"] + there["image"], total)
    assert torch.equal(here["image"] == volumes(1)["image"], mask)


def test_cut_mix_pastes_another_patient() -> None:
    mask = torch.zeros(1, 1, *SHAPE, dtype=torch.bool)
    mask[..., :2] = True
    mixed = cut_mix(volumes(1, 3), mask)
    assert_consistent(mixed)
    assert mixed["image"][:, 0, 0, 0, 0].tolist() == [3, 1, 2]
    assert mixed["image"][:, 0, 0, 0, 3].tolist() == [1, 2, 3]


def test_a_single_volume_is_left_alone() -> None:
    mask = torch.ones(1, 1, *SHAPE, dtype=torch.bool)
    assert torch.equal(cut_mix(volumes(7, 1), mask)["image"], volumes(7, 1)["image"])


def test_maps_that_do_not_match_are_refused() -> None:
    mask = torch.ones(1, 1, *SHAPE, dtype=torch.bool)
    without_weight = {name: value for name, value in volumes(1).items() if name != "weight"}
    with pytest.raises(InputError, match="same maps of both volumes"):
        mutual_mix(volumes(1), without_weight, mask)
    with pytest.raises(InputError, match="'image' needs one shape"):
        mutual_mix(volumes(1), volumes(1), mask[..., :2])
