import pytest
import torch
import torch.nn.functional as F

from spss.methods.losses import one_hot, segmentation_loss, soft_cross_entropy, soft_dice_loss
from spss.types import UNDECIDED

SHAPE = (2, 3, 4, 5, 6)


def _logits(seed=0):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def _truth():
    return torch.randint(0, 3, (2, 4, 5, 6), generator=torch.Generator().manual_seed(1))


def test_hard_labels_of_equal_weight_give_the_usual_cross_entropy():
    logits, truth = _logits(), _truth()
    ours = soft_cross_entropy(logits, one_hot(truth, 3), torch.ones(truth.shape))
    assert torch.allclose(ours, F.cross_entropy(logits, truth))


def test_undecided_voxels_get_no_gradient():
    logits, truth = _logits().requires_grad_(), _truth()
    truth[:, 1:] = UNDECIDED
    segmentation_loss(logits, one_hot(truth, 3), (truth != UNDECIDED).float()).backward()
    assert (logits.grad[:, :, 1:] == 0).all()
    assert (logits.grad[:, :, 0] != 0).any()


def test_what_undecided_voxels_hold_does_not_matter():
    truth, weight = _truth(), torch.zeros(2, 4, 5, 6)
    weight[:, 0] = 1
    changed = _logits()
    changed[:, :, 1:] = 100 * _logits(5)[:, :, 1:]
    first = segmentation_loss(_logits(), one_hot(truth, 3), weight)
    assert torch.allclose(first, segmentation_loss(changed, one_hot(truth, 3), weight))


def test_no_weight_at_all_is_zero_with_a_zero_gradient():
    logits = _logits().requires_grad_()
    loss = segmentation_loss(logits, one_hot(_truth(), 3), torch.zeros(2, 4, 5, 6))
    loss.backward()
    assert loss.item() == pytest.approx(0.0)
    assert (logits.grad == 0).all()


def test_a_soft_target_is_the_minimum_of_both_terms():
    target = _logits(3).softmax(1)
    logits = target.log().clone().requires_grad_()
    weight = torch.rand(2, 4, 5, 6)
    segmentation_loss(logits, target, weight).backward()
    assert logits.grad.abs().max() < 1e-6


def test_dice_is_zero_for_a_perfect_and_one_for_a_wrong_answer():
    truth = one_hot(_truth(), 3)
    weight = torch.ones(2, 4, 5, 6)
    assert soft_dice_loss(truth, truth, weight) == pytest.approx(0.0, abs=1e-5)
    wrong = truth.roll(1, dims=1)
    assert soft_dice_loss(wrong, truth, weight) == pytest.approx(1.0, abs=1e-3)


def test_a_class_that_is_absent_and_not_predicted_is_perfect():
    empty = torch.zeros(SHAPE)
    empty[:, 0] = 1
    assert soft_dice_loss(empty, empty, torch.ones(2, 4, 5, 6)) == pytest.approx(0.0)


def test_background_alone_has_no_dice():
    alone = torch.ones(2, 1, 4, 5, 6)
    assert soft_dice_loss(alone, alone, torch.ones(2, 4, 5, 6)) == 0


def test_a_voxel_of_half_the_weight_pulls_half_as_much():
    logits = torch.zeros(1, 2, 2, 1, 1, requires_grad=True)
    target = one_hot(torch.ones(1, 2, 1, 1, dtype=torch.long), 2)
    weight = torch.tensor([1.0, 0.5]).reshape(1, 2, 1, 1)
    soft_cross_entropy(logits, target, weight).backward()
    pull = logits.grad[0, 1, :, 0, 0]
    assert pull[1] / pull[0] == pytest.approx(0.5)
