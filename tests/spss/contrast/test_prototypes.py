import pytest
import torch

from spss.contrast import prototype_contrast
from spss.errors import InputError


def clusters(spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(3).repeat(8).reshape(1, 24).repeat(2, 1)
    centres = torch.eye(5)[classes].movedim(-1, 1)
    return centres + spread * torch.randn(centres.shape, generator=generator), classes


def test_value_for_perfect_clusters_is_the_formula() -> None:
    embeddings, classes = clusters(0.0)
    # Own prototype of each of two images: cosine 1; four prototypes of other classes: cosine 0.
    expected = torch.tensor([2 * torch.e ** (1 / 0.5) + 4.0]).log() - 1 / 0.5
    loss = prototype_contrast(embeddings, classes, class_count=3, temperature=0.5)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_tighter_clusters_cost_less() -> None:
    losses = [
        float(prototype_contrast(*clusters(spread), class_count=3)) for spread in (0.1, 0.5, 2.0)
    ]
    assert losses == sorted(losses)


def test_voxels_without_weight_neither_teach_nor_are_taught() -> None:
    embeddings, classes = clusters(0.3)
    weights = torch.ones(classes.shape)
    weights[:, 12:] = 0
    generator = torch.Generator()
    loss = prototype_contrast(
        embeddings, classes, class_count=3, weights=weights, generator=generator.manual_seed(1)
    )
    embeddings[..., 12:] = 100.0
    again = prototype_contrast(
        embeddings, classes, class_count=3, weights=weights, generator=generator.manual_seed(1)
    )
    assert torch.equal(loss, again)


def test_one_class_alone_has_nothing_to_contrast() -> None:
    embeddings, classes = clusters(0.3)
    loss = prototype_contrast(embeddings.requires_grad_(), torch.zeros_like(classes), class_count=3)
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_mismatched_grid_is_refused() -> None:
    with pytest.raises(InputError, match="a class for each embedded voxel"):
        prototype_contrast(torch.zeros(1, 4, 3), torch.zeros(1, 2).long(), class_count=2)
