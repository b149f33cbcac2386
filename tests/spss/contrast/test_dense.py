import torch

from spss.contrast import bidirectional_contrast
from spss.contrast.dense import dense_bidirectional_contrast
from spss.contrast.memory import contrast_memory_mb


def inputs(voxels: int = 300) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second, pool = (torch.randn(2, 8, voxels, generator=generator) for _ in range(3))
    return {
        "first": first,
        "second": second,
        "pool": pool,
        "anchor_classes": torch.randint(0, 3, (2, voxels), generator=generator),
        "pool_probabilities": torch.randn(2, 3, voxels, generator=generator).softmax(1),
    }


def test_both_forms_agree_where_negatives_abound() -> None:
    torch.testing.assert_close(
        bidirectional_contrast(**inputs()), dense_bidirectional_contrast(**inputs())
    )


def test_both_forms_give_the_same_gradient() -> None:
    gradients = []
    for form in (bidirectional_contrast, dense_bidirectional_contrast):
        given = inputs()
        leaves = [given[name].requires_grad_() for name in ("first", "second", "pool")]
        gradients.append(torch.autograd.grad(form(**given), leaves))
    for ours, dense in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, dense, rtol=1e-4, atol=1e-6)


def test_linear_form_needs_a_twentieth_of_the_memory_at_the_published_size() -> None:
    memory = contrast_memory_mb(voxels=7840)
    assert memory["dense"] > 234  # the N x N matrix alone, in float32
    assert memory["linear"] * 20 <= memory["dense"]


def test_linear_form_grows_linearly() -> None:
    small, large = (contrast_memory_mb(voxels=size)["linear"] for size in (1000, 4000))
    assert large <= 4.5 * small
