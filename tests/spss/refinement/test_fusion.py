import pytest
import torch

from spss.errors import InputError
from spss.refinement import fuse, reliability_teacher_share, scheduled_teacher_share


def simplex(*, classes: int, seed: int, shape: tuple[int, ...] = (3, 4, 5)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(2, classes, *shape, generator=generator)).softmax(1)


def test_schedule_is_the_published_one() -> None:
    assert scheduled_teacher_share(0, 6000) == 0.0
    assert scheduled_teacher_share(6000, 6000) == pytest.approx(0.9)
    crossing = next(t for t in range(6000) if scheduled_teacher_share(t, 6000) > 0.5)
    assert crossing == pytest.approx(318, abs=1)  # iteration 318 of 6000


@pytest.mark.parametrize("classes", [2, 4])
def test_fusion_is_linear_and_stays_a_distribution(classes: int) -> None:
    pseudo, teacher = simplex(classes=classes, seed=0), simplex(classes=classes, seed=1)
    torch.testing.assert_close(fuse(pseudo, teacher, 0.0), pseudo)
    torch.testing.assert_close(fuse(pseudo, teacher, 1.0), teacher)
    half = fuse(pseudo, teacher, 0.5)
    torch.testing.assert_close(half, (pseudo + teacher) / 2)
    torch.testing.assert_close(half.sum(1), torch.ones(2, 3, 4, 5))


def test_annotated_voxels_are_reset_to_the_truth() -> None:
    pseudo, teacher = simplex(classes=3, seed=0), simplex(classes=3, seed=1)
    truth = torch.randint(0, 3, (2, 3, 4, 5), generator=torch.Generator().manual_seed(2))
    annotated = torch.zeros(2, 1, 3, 4, 5, dtype=torch.bool)
    annotated[0, :, 1] = annotated[0, :, :, 2] = annotated[1, ..., 4] = True
    for hard in (False, True):
        fused = fuse(pseudo, teacher, 0.8, annotated=annotated, truth=truth, hard=hard)
        where = annotated[:, 0]
        assert torch.equal(fused.argmax(1)[where], truth[where])
        assert torch.equal(fused.amax(1)[where], torch.ones(int(where.sum())))
        assert not torch.equal(fused.argmax(1)[~where], truth[~where])


def test_without_a_truth_map_the_pseudo_label_is_kept_where_annotated() -> None:
    pseudo, teacher = simplex(classes=3, seed=0), simplex(classes=3, seed=1)
    annotated = torch.zeros(2, 1, 3, 4, 5, dtype=torch.bool)
    annotated[:, :, 0] = True
    fused = fuse(pseudo, teacher, 0.8, annotated=annotated)
    assert torch.equal(fused[:, :, 0], pseudo[:, :, 0])
    assert not torch.isclose(fused[:, :, 1], pseudo[:, :, 1]).all()


def test_teacher_overrules_only_where_it_is_sure_and_propagation_is_not() -> None:
    sure, clueless = torch.tensor([1.0, 0.0, 0.0]), torch.full((3,), 1 / 3)
    teacher = torch.stack([sure, sure, clueless, clueless], 1).reshape(1, 3, 4, 1, 1)
    reliability = torch.tensor([0.0, 1.0, 0.0, 1.0]).reshape(1, 1, 4, 1, 1)
    share = reliability_teacher_share(reliability, teacher, maximum=0.9)
    assert share.flatten().tolist() == pytest.approx([0.9, 0.0, 0.0, 0.0], abs=1e-6)


def test_no_gradient_reaches_the_teacher() -> None:
    teacher = simplex(classes=2, seed=1).requires_grad_()
    assert not fuse(simplex(classes=2, seed=0), teacher, 0.5).requires_grad


def test_shapes_must_match() -> None:
    with pytest.raises(InputError, match="pseudo-label and a prediction of one shape"):
        fuse(simplex(classes=2, seed=0), simplex(classes=3, seed=0), 0.5)
    with pytest.raises(InputError, match="at least one iteration"):
        scheduled_teacher_share(0, 0)
