import pytest
import torch

from spss.errors import InputError
from spss.selfpaced import hard_weights, linear_weights

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
