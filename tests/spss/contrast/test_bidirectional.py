import math

import pytest
import torch

from spss.contrast import bidirectional_contrast
from spss.errors import InputError


def batch(
    *, shape: tuple[int, ...] = (3, 4, 2), size: int = 6, classes: int = 3, seed: int = 0
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second, pool = (torch.randn(2, size, *shape, generator=generator) for _ in range(3))
    return {
        "first": first,
        "second": second,
        "pool": pool,
        "anchor_classes": torch.randint(0, classes, (2, *shape), generator=generator),
        "pool_probabilities": torch.randn(2, classes, *shape, generator=generator).softmax(1),
    }


def naive(
    first: torch.Tensor,
    second: torch.Tensor,
    pool: torch.Tensor,
    *,
    anchor_classes: torch.Tensor,
    pool_probabilities: torch.Tensor,
    negative_count: int,
    temperature: float,
) -> float:
    """The formula, anchor by anchor, with the dense N x N score matrix and plain exponentials."""

    def rows(embedding: torch.Tensor) -> torch.Tensor:
        flat = embedding.double().movedim(1, -1).reshape(-1, embedding.shape[1])
        return flat / flat.norm(dim=1, keepdim=True)

    f1, f2, g = rows(first), rows(second), rows(pool)
    classes = anchor_classes.flatten()
    confidence, pool_classes = (value.flatten() for value in pool_probabilities.max(1))
    total, counted = 0.0, 0
    for anchor in range(len(f1)):
        allowed = [j for j in range(len(g)) if pool_classes[j] != classes[anchor]]
        allowed.sort(key=lambda j: -float(confidence[j]))
        if not allowed:
            continue
        counted += 1
        match = math.exp(float(f1[anchor] @ f2[anchor]) / temperature)
        for embedding in (f1, f2):
            others = sum(
                math.exp(float(embedding[anchor] @ g[j]) / temperature)
                for j in allowed[:negative_count]
            )
            total -= math.log(match / (match + others))
    return total / counted


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("negative_count", [1, 5, 50])
def test_value_equals_the_dense_form(classes: int, negative_count: int) -> None:
    inputs = batch(classes=classes, seed=classes)
    ours = bidirectional_contrast(**inputs, negative_count=negative_count, temperature=0.2)
    dense = naive(**inputs, negative_count=negative_count, temperature=0.2)
    assert float(ours) == pytest.approx(dense, rel=1e-5)


def test_works_for_planes_and_volumes() -> None:
    for shape in [(6,), (3, 5), (2, 3, 4)]:
        inputs = batch(shape=shape)
        assert float(bidirectional_contrast(**inputs, temperature=0.2)) == pytest.approx(
            naive(**inputs, negative_count=50, temperature=0.2), rel=1e-5
        )


def test_same_class_voxels_are_never_negatives_when_others_are_scarce() -> None:
    inputs = batch(classes=2)
    inputs["anchor_classes"].zero_()
    inputs["pool_probabilities"][:, 0] = 0.9
    inputs["pool_probabilities"][:, 1] = 0.1
    inputs["pool_probabilities"][0, :, 0, 0, 0] = torch.tensor([0.2, 0.8])  # the only negative
    before = bidirectional_contrast(**inputs, negative_count=50)
    inputs["pool"][1] = torch.randn(inputs["pool"][1].shape)  # same-class voxels move anywhere
    assert torch.equal(before, bidirectional_contrast(**inputs, negative_count=50))


def test_no_negatives_at_all_give_zero_and_a_finite_gradient() -> None:
    inputs = batch(classes=2)
    inputs["anchor_classes"].zero_()
    inputs["pool_probabilities"][:, 0] = 1.0
    inputs["pool_probabilities"][:, 1] = 0.0
    inputs["first"].requires_grad_()
    loss = bidirectional_contrast(**inputs)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert float(inputs["first"].grad.abs().sum()) == 0.0


def test_unselected_anchors_do_not_count() -> None:
    inputs = batch()
    weights = torch.zeros(inputs["anchor_classes"].shape)
    weights[:, :1] = 1.0
    loss = bidirectional_contrast(**inputs, anchor_weights=weights)
    changed = dict(inputs)
    changed["first"] = inputs["first"].clone()
    changed["first"][:, :, 1:] = torch.randn(inputs["first"][:, :, 1:].shape)
    assert torch.equal(loss, bidirectional_contrast(**changed, anchor_weights=weights))
    doubled = bidirectional_contrast(**inputs, anchor_weights=2 * weights)
    torch.testing.assert_close(loss, doubled)


def test_half_precision_does_not_overflow() -> None:
    inputs = batch()
    for name in ("first", "second", "pool"):
        inputs[name] = inputs[name].half()
    loss = bidirectional_contrast(**inputs, temperature=0.02)  # exp(1 / 0.02) > 1e21
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


def test_learning_it_separates_the_classes() -> None:
    inputs = batch(classes=2, seed=3)
    embedding = torch.randn(2, 6, 3, 4, 2, requires_grad=True)
    classes = inputs["anchor_classes"]
    probabilities = torch.nn.functional.one_hot(classes, 2).movedim(-1, 1).float()
    optimiser = torch.optim.Adam([embedding], lr=0.1)
    for _ in range(60):
        loss = bidirectional_contrast(
            embedding,
            embedding,
            embedding,
            anchor_classes=classes,
            pool_probabilities=probabilities,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    unit = torch.nn.functional.normalize(embedding.detach(), dim=1).movedim(1, -1)
    assert float((unit[classes == 0] @ unit[classes == 1].T).max()) < 0.5


def test_mismatched_grids_are_refused() -> None:
    inputs = batch()
    inputs["anchor_classes"] = inputs["anchor_classes"][:, :2]
    with pytest.raises(InputError, match="must cover the same voxels"):
        bidirectional_contrast(**inputs)
    with pytest.raises(InputError, match="at least one negative"):
        bidirectional_contrast(**batch(), negative_count=0)
