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


def test_what_the_network_believes_counts_whole_and_the_rest_fades_with_its_loss() -> None:
    probability = torch.tensor([0.95, 0.8, 0.4, 0.01])
    probabilities = torch.stack([1 - probability, probability])[None]
    label = torch.tensor([0.0, 1.0])[None, :, None].expand(1, 2, 4)
    weights = agreement_weights(probabilities, label, enough=0.8, power=2.0)[0]
    loss, age = -probability.log(), -torch.tensor(0.8).log()
    torch.testing.assert_close(weights, torch.exp(-2.0 * (loss - age).clamp_min(0)))
    assert torch.equal(agreement_weights(probabilities, label, power=0.0), torch.ones(1, 4))


def test_a_soft_label_that_the_network_shares_counts_whole() -> None:
    soft = torch.tensor([0.5, 0.3, 0.2])[None, :, None]
    assert agreement_weights(soft, soft, enough=1.0).item() == pytest.approx(1.0)
    assert agreement_weights(soft.roll(1, 1), soft, enough=1.0).item() < 0.8
    absent = torch.zeros(1, 3, 1)
    assert agreement_weights(soft, absent).item() == 0.0


def test_agreement_has_no_gradient_and_sane_constants() -> None:
    probabilities = torch.full((1, 2, 4), 0.5, requires_grad=True)
    label = torch.full((1, 2, 4), 0.5)
    assert not agreement_weights(probabilities, label).requires_grad
    for wrong in ({"enough": 0.0}, {"enough": 1.5}, {"power": -1.0}):
        with pytest.raises(InputError, match="Agreement needs 0 < enough"):
            agreement_weights(probabilities, label, **wrong)
