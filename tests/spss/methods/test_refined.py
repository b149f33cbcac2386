from dataclasses import replace

import pytest
import torch

from spss.methods.batch import Batch
from spss.methods.refined import RefinedConfig, refined_label, refined_supervision
from spss.types import UNDECIDED

SHAPE = (8, 6, 5)


def half_propagated(*, classes: int = 3, wrong_at: int = 5) -> Batch:
    """Plane 2 is annotated; from plane ``wrong_at`` on the propagated label is wrong."""
    truth = torch.full((1, *SHAPE), UNDECIDED)
    anatomy = torch.zeros(SHAPE).long()
    anatomy[:, 2:4, 1:4] = classes - 1
    truth[0, 2] = anatomy[2]
    propagated = anatomy.clone()
    propagated[wrong_at:] = 0
    steps = (torch.arange(SHAPE[0]).float() - 2).abs()
    return Batch(
        names=("a",),
        image=torch.zeros(1, 1, *SHAPE),
        truth=truth,
        valid=torch.ones(1, *SHAPE, dtype=torch.bool),
        pseudo_label=torch.nn.functional.one_hot(propagated, classes).movedim(-1, 0)[None].float(),
        reliability=torch.ones(1, *SHAPE),
        distance=steps[:, None, None].expand(SHAPE)[None].clone(),
        spacing_mm=(1.0, 1.0, 1.0),
    )


def good_teacher(classes: int = 3) -> torch.Tensor:
    anatomy = torch.zeros(SHAPE).long()
    anatomy[:, 2:4, 1:4] = classes - 1
    sure = torch.nn.functional.one_hot(anatomy, classes).movedim(-1, 0)[None].float()
    return 0.9 * sure + 0.1 / classes


@pytest.mark.parametrize("classes", [2, 4])
def test_the_teacher_overrules_late_and_never_the_annotation(classes: int) -> None:
    batch, config = half_propagated(classes=classes), RefinedConfig()
    early = refined_label(batch, good_teacher(classes), 100, config).argmax(1)
    late = refined_label(batch, good_teacher(classes), 3000, config).argmax(1)
    assert torch.equal(early, batch.pseudo_label.argmax(1))
    assert torch.equal(late, good_teacher(classes).argmax(1))
    stubborn = 1 - good_teacher(classes)
    kept = refined_label(batch, stubborn / stubborn.sum(1, keepdim=True), 6000, config).argmax(1)
    assert torch.equal(kept[batch.annotated], batch.truth[batch.annotated])


def test_soft_labels_stay_a_distribution_and_holes_are_filled() -> None:
    batch = half_propagated()
    soft = refined_label(batch, good_teacher(), 1000, RefinedConfig(hard_labels=False))
    torch.testing.assert_close(soft.sum(1), torch.ones(1, *SHAPE))
    assert soft.unique().numel() > 2
    block = torch.zeros(SHAPE).long()
    block[1:7, 1:5, 1:4] = 2
    block[4, 3, 2] = 0
    holed = replace(
        batch,
        pseudo_label=torch.nn.functional.one_hot(block, 3).movedim(-1, 0)[None].float(),
    )
    teacher = torch.full((1, 3, *SHAPE), 1 / 3)
    filled = refined_label(holed, teacher, 0, RefinedConfig(fill_holes=True)).argmax(1)
    assert int(filled[0, 4, 3, 2]) == 2


def loss_of(batch: Batch, logits: torch.Tensor, **switches: bool) -> float:
    return float(
        refined_supervision(logits, batch, good_teacher(), 0.0, RefinedConfig(), **switches)
    )


def test_far_voxels_weigh_less_and_integer_weights_forget_them() -> None:
    batch = half_propagated()
    agree = 8.0 * batch.pseudo_label
    near, far = agree.clone(), agree.clone()
    near[:, :, 3], far[:, :, 7] = -near[:, :, 3], -far[:, :, 7]
    dice_blind = replace(batch, reliability=batch.reliability)
    assert loss_of(dice_blind, near) > loss_of(dice_blind, far) > loss_of(dice_blind, agree)
    config = RefinedConfig(dice_weight=0.0)
    truncated = [
        float(refined_supervision(z, batch, good_teacher(), 0.0, config, integer_weights=True))
        for z in (near, far, agree)
    ]
    assert truncated[0] == truncated[1] == truncated[2]  # A1: only the annotated plane counts


def test_double_softmax_confines_the_loss_and_starves_the_gradient() -> None:
    batch, config = half_propagated(classes=2), RefinedConfig(dice_weight=0.0)
    wrong = (-1.5 * (2 * batch.pseudo_label - 1)).requires_grad_()  # a logit gap of 3
    gradients = []
    for double in (False, True):
        loss = refined_supervision(
            wrong, batch, good_teacher(2), 0.0, config, double_softmax=double
        )
        gradients.append(float(torch.autograd.grad(loss, wrong)[0].abs().sum()))
    # 0.95 and 0.064 on a voxel with a logit gap of 3 (two classes)
    assert gradients[1] / gradients[0] == pytest.approx(0.064 / 0.95, rel=0.05)


def test_voxels_nobody_propagated_do_not_count() -> None:
    batch = half_propagated()
    silent = replace(batch, reliability=batch.reliability.clone())
    silent.reliability[:, 4:] = 0
    logits = torch.randn(1, 3, *SHAPE, generator=torch.Generator().manual_seed(0))
    changed = logits.clone()
    changed[:, :, 4:] = 50.0
    assert loss_of(silent, logits) == loss_of(silent, changed)
