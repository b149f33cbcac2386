import pytest
import torch

from spss.errors import InputError
from spss.selfpaced import agreement_weights, hard_weights, linear_weights

LOSS = torch.tensor([0.0, 0.5, 1.0, 2.0, 8.0])


def test_hard_weights_switch_at_the_age() -> None:
    assert hard_weights(LOSS, 1.0).tolist() == [1, 1, 1, 0, 0]


def test_linear_weights_fall_to_zero_at_the_age() -> None:
    assert linear_weights(LOSS, 2.0).tolist() == [1.0, 0.75, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("rule", [hard_weights, linear_weights])
def test_weights_minimise_their_self_paced_objective(rule) -> None:
    age, grid = 1.3, torch.linspace(0, 1, 1001)
    weight_cost = {hard_weights: -age * grid, linear_weights: age * (grid**2 / 2 - grid)}[rule]
    best = [float(grid[(grid * loss + weight_cost).argmin()]) for loss in LOSS]
    assert rule(LOSS, age).tolist() == pytest.approx(best, abs=1e-3)


def test_no_gradient_flows_through_a_weight() -> None:
    loss = LOSS.clone().requires_grad_()
    assert not linear_weights(loss, 2.0).requires_grad


def test_age_must_be_positive() -> None:
    with pytest.raises(InputError, match="age of self-paced weights must be above 0"):
        linear_weights(LOSS, 0.0)


def test_trust_left_in_a_contradicted_label_is_bayes_rule_and_never_grows() -> None:
    believed = torch.tensor([0.9, 0.5, 0.3, 0.1])
    probabilities = torch.stack([1 - believed, believed])[None]
    label = torch.tensor([0.0, 1.0])[None, :, None].expand(1, 2, 4)
    for prior in (0.2, 0.8):
        trust = torch.full((1, 4), prior)
        left = trust * agreement_weights(probabilities, label, trust, power=1.0)
        right, wrong = prior * believed, (1 - prior) * (1 - believed)
        torch.testing.assert_close(left[0, 2:], (right / (right + wrong))[2:])
        assert left[0, :2].tolist() == pytest.approx([prior, prior])


def test_a_trusted_label_withstands_what_a_doubtful_one_does_not() -> None:
    probabilities = torch.tensor([0.7, 0.3])[None, :, None].expand(1, 2, 3)
    label = torch.tensor([0.0, 1.0])[None, :, None].expand(1, 2, 3)
    trust = torch.tensor([[0.1, 0.9, 8.0]])
    weak, strong, drawn = agreement_weights(probabilities, label, trust)[0].tolist()
    assert weak < 0.5 * strong
    assert drawn == 1.0
    assert agreement_weights(probabilities, label, trust, power=0.0).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("power", [2.0, 6.0])
def test_nothing_contradicts_what_is_certain(power: float) -> None:
    probabilities = torch.tensor([1.0, 0.0])[None, :, None]
    label = torch.tensor([0.0, 1.0])[None, :, None]
    assert agreement_weights(probabilities, label, torch.ones(1, 1), power=power).item() == 1.0


def test_a_soft_label_that_the_network_shares_loses_nothing() -> None:
    soft = torch.tensor([0.5, 0.5])[None, :, None]
    trust = torch.full((1, 1), 0.4)
    for probabilities in (soft, torch.tensor([1.0, 0.0])[None, :, None]):
        assert agreement_weights(probabilities, soft, trust).item() == pytest.approx(1.0)


def test_agreement_is_finite_where_nothing_is_known_and_has_no_gradient() -> None:
    probabilities = torch.tensor([1.0, 0.0])[None, :, None].expand(1, 2, 2).requires_grad_()
    label = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    weights = agreement_weights(probabilities, label, torch.tensor([[0.0, 0.5]]))
    assert torch.isfinite(weights).all()
    assert float(weights[0, 1]) < 1e-6
    assert not weights.requires_grad
    with pytest.raises(InputError, match="power of an agreement must be 0 or more"):
        agreement_weights(probabilities, label, torch.ones(1, 2), power=-1.0)
