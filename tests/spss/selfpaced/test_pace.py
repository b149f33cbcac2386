import math

import pytest

from spss.errors import InputError
from spss.selfpaced import Pace
from spss.selfpaced.pace import gaussian_ramp


def epoch(iteration: int) -> float:
    """Eight iterations an epoch, as in the released code."""
    return iteration / 8


@pytest.mark.parametrize(
    ("iteration", "weight", "temperature", "age"),
    [(2000, 0.010, 3.07, 0.16), (3000, 0.029, 6.0, 0.57), (4000, 0.054, 11.8, 2.0)],
)
def test_schedules_follow_the_published_constants(
    iteration: int, weight: float, temperature: float, age: float
) -> None:
    pace = Pace(age_start_epoch=200)
    assert pace.weight(iteration) == pytest.approx(weight, rel=0.05)
    assert pace.temperature(iteration) == pytest.approx(temperature, rel=0.01)
    assert pace.age(epoch(iteration)) == pytest.approx(age, rel=0.05)


def test_age_waits_for_its_start_epoch() -> None:
    pace = Pace(age_start_epoch=10)
    assert pace.age(0) == pace.age(10) == 0.1
    assert pace.age(11) == pytest.approx(0.101)


def test_rate_falls_with_the_loss_and_keeps_a_floor_for_the_young() -> None:
    pace = Pace(age_start=1.0, temperature_start=1000.0)
    easy, harder, too_hard = (pace.selection_rate(0, 0, loss) for loss in (0.1, 0.6, 5.0))
    assert easy == pytest.approx(0.9 * min(pace.weight(0) * 1000, 1.0))
    assert harder == pytest.approx(0.4 * min(pace.weight(0) * 1000, 1.0))
    assert too_hard == pytest.approx(0.1 * min(pace.weight(0) * 1000, 1.0))


def test_rate_stays_a_share_for_any_time_and_loss() -> None:
    pace = Pace()
    for iteration in (0, 100, 10_000, 100_000):
        for loss in (-1.0, 0.0, 0.3, 1e9):
            assert 0.0 <= pace.selection_rate(iteration, epoch(iteration), loss) <= 1.0


def test_nothing_is_selected_after_a_broken_loss() -> None:
    assert Pace().selection_rate(5000, 600, math.nan) == 0.0


def test_ramp_ends_at_one_and_starts_near_zero() -> None:
    assert gaussian_ramp(0, 40) == pytest.approx(math.exp(-5))
    assert gaussian_ramp(40, 40) == gaussian_ramp(90, 40) == 1.0
    assert gaussian_ramp(3, 0) == 1.0


def test_impossible_pace_is_refused() -> None:
    with pytest.raises(InputError, match="age_start must be above 0, got 0"):
        Pace(age_start=0)
    with pytest.raises(InputError, match="ramp_every must be at least 1"):
        Pace(ramp_every=0)
