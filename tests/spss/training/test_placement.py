import torch

from spss.training.placement import place_patch, sample


def test_a_patch_without_changes_is_a_crop():
    maps = torch.randn(2, 9, 10, 11)
    patch = sample(maps, place_patch(torch.tensor([4.0, 5.0, 6.0]), (3, 5, 7)))
    assert torch.allclose(patch, maps[:, 3:6, 3:8, 3:10], atol=1e-5)


def test_a_patch_larger_than_the_volume_knows_what_is_padding():
    placement = place_patch(torch.tensor([1.5, 1.0, 0.0]), (8, 5, 3))
    inside = placement.inside((4, 3, 1))
    assert int(inside.sum()) == 4 * 3 * 1
    assert inside[2:6, 1:4, 1:2].all()


def test_single_voxel_axes_can_be_sampled():
    maps = torch.arange(12.0).reshape(1, 3, 4, 1)
    patch = sample(maps, place_patch(torch.tensor([1.0, 1.5, 0.0]), (3, 4, 1)))
    assert torch.allclose(patch, maps)
