import pytest

from spss.errors import InputError
from spss.training.budget import DEFAULT_ITERATIONS, Budget
from spss.training.optimiser import learning_rate_factor


def test_rounds_follow_iterations():
    budget = Budget(iterations=100, rounds=10)
    budget.iteration = 55
    assert (budget.round, budget.total_rounds, budget.fraction) == (5, 10, 0.55)
    budget.iteration = 100
    assert budget.is_over


def test_short_trainings_have_no_more_rounds_than_steps():
    assert Budget(iterations=3).total_rounds == 3


def test_minutes_count_over_restarts():
    budget = Budget(minutes=1.0)
    assert not budget.is_over
    budget.load_state_dict({"iteration": 7, "seconds": 61.0})
    assert budget.is_over
    assert budget.iteration == 7


def test_minutes_follow_the_clock_that_was_given():
    now = [100.0]
    budget = Budget(minutes=1.0, clock=lambda: now[0])
    now[0] += 30
    assert budget.fraction == 0.5
    budget.start()
    assert budget.fraction == 0.0


def test_without_a_wish_there_is_a_default():
    assert Budget().iterations == DEFAULT_ITERATIONS


@pytest.mark.parametrize(
    "wish",
    [
        {"iterations": 0},
        {"minutes": 0.0},
        {"minutes": float("nan")},
        {"iterations": 5, "minutes": 1.0},
    ],
)
def test_impossible_wishes_are_refused(wish):
    with pytest.raises(InputError):
        Budget(**wish)


def test_the_learning_rate_rises_then_falls_to_almost_nothing():
    factors = [learning_rate_factor(step / 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1.0, abs=0.01)
    assert factors[-1] == pytest.approx(0.01)
    assert factors[5:] == sorted(factors[5:], reverse=True)
