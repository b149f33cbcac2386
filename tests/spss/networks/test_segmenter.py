import pytest
import torch

from spss.errors import InputError
from spss.networks import Architecture, build_segmenter

UNET = Architecture("unet", (4, 8, 8), ((2, 2, 2), (2, 2, 1)), ((3, 3, 3),) * 3)
DYNUNET = Architecture(
    "dynunet", (4, 8, 8), ((2, 2, 1), (2, 2, 2)), ((3, 3, 1), (3, 3, 3), (3, 3, 3))
)

STEM = Architecture(
    "dynunet",
    (4, 8, 8),
    ((2, 2, 2), (2, 2, 1)),
    ((3, 3, 1), (3, 3, 3), (3, 3, 3)),
    stem_stride=(2, 2, 1),
)
FAMILIES = pytest.mark.parametrize(
    "plan", [UNET, DYNUNET, STEM], ids=["unet", "dynunet", "dynunet with a stem"]
)


@FAMILIES
def test_logits_lie_on_the_grid_of_the_image(plan):
    network = build_segmenter(plan, class_count=3)
    assert network(torch.randn(2, 1, 16, 32, 8)).shape == (2, 3, 16, 32, 8)


@FAMILIES
def test_an_embedding_has_a_gradient_into_the_network(plan):
    network = build_segmenter(plan, class_count=3, embedding_channels=5)
    logits, embedding = network(torch.randn(1, 1, 16, 16, 8), embed=True)
    assert embedding.shape[:2] == (1, 5)
    assert all(edge < 16 for edge in embedding.shape[2:4])
    embedding.square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in network.backbone.parameters())
    assert logits.shape[1] == 3


def test_without_a_head_an_embedding_is_refused():
    network = build_segmenter(UNET, class_count=2)
    with pytest.raises(ValueError, match="projection head"):
        network(torch.randn(1, 1, 8, 8, 8), embed=True)


def test_weights_come_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(7)
    first = build_segmenter(UNET, class_count=2, seed=1).state_dict()
    after = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(3))
    again = build_segmenter(UNET, class_count=2, seed=1).state_dict()
    other = build_segmenter(UNET, class_count=2, seed=2).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_copied_network_keeps_its_features_to_itself():
    import copy

    network = build_segmenter(UNET, class_count=2, embedding_channels=3)
    twin = copy.deepcopy(network)
    image = torch.randn(1, 1, 8, 8, 8)
    network.eval(), twin.eval()
    with torch.no_grad():
        assert torch.equal(network(image, embed=True)[1], twin(image, embed=True)[1])


def test_an_unknown_family_is_named():
    plan = Architecture("transformer", (4, 8), ((2, 2, 2),), ((3, 3, 3),) * 2)
    with pytest.raises(InputError, match="'transformer'"):
        build_segmenter(plan, class_count=2)


@pytest.mark.parametrize("plan", [UNET, STEM], ids=["unet", "dynunet with a stem"])
def test_classes_are_read_from_more_features_than_there_are_classes(plan):
    """One map per class at full resolution is where trainings of some seeds got stuck."""
    network = build_segmenter(plan, class_count=3)
    widths = [m.in_channels for m in network.modules() if isinstance(m, torch.nn.Conv3d)]
    assert widths[-1] >= 8


def test_a_stem_counts_into_the_multiples_a_patch_must_have():
    assert STEM.total_stride == (8, 8, 2)
    with_stem, without = (
        build_segmenter(STEM, class_count=2),
        build_segmenter(DYNUNET, class_count=2),
    )
    maps = [_largest_map(network) for network in (with_stem, without)]
    assert maps[0] * 4 == maps[1], "nothing but the last layers works at full resolution"


def _largest_map(network):
    """Voxels of the largest map that a convolution with a kernel of three makes."""
    sizes = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d) and max(module.kernel_size) == 3:
            module.register_forward_hook(lambda *call: sizes.append(call[2][0, 0].numel()))
    network(torch.randn(1, 1, 16, 16, 8))
    return max(sizes)
