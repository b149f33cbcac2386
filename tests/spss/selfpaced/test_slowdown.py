import math

import pytest

from spss.selfpaced import Slowdown


def after(losses: list[float], *, step: float = 0.01) -> Slowdown:
    slowdown = Slowdown()
    for index, loss in enumerate(losses):
        slowdown.add((index + 0.5) * step, loss)
    return slowdown


def test_a_loss_that_stands_still_is_slow_and_one_that_still_falls_is_not() -> None:
    times = [index + 0.5 for index in range(100)]
    assert after([2.0] * 100).value == pytest.approx(1.0)
    assert after([1 / time for time in times]).value == pytest.approx(0.5, abs=0.03)
    levels_off = after([math.exp(-time / 10) + 0.2 for time in times])
    still_falls = after([math.exp(-time / 40) for time in times])
    assert still_falls.value < 0.5 < 0.8 < levels_off.value


def test_it_does_not_matter_how_many_steps_a_time_holds() -> None:
    few = after([1 / (index + 1) for index in range(80)], step=1 / 80)
    many = Slowdown()
    for index in range(80):
        for _ in range(1 + index % 3):
            many.add((index + 0.5) / 80, 1 / (index + 1))
    assert many.value == pytest.approx(few.value, rel=0.05)


def test_too_little_seen_says_nothing() -> None:
    assert Slowdown().value == 0.0
    assert after([1.0] * 500, step=0.0001).value == 0.0  # many steps, no time
    assert after([1.0] * 6, step=0.25).value == 1.0  # gaps are no losses


def test_a_loss_that_is_no_number_is_left_out() -> None:
    slowdown = after([1.0] * 50)
    slowdown.add(0.3, math.nan)
    slowdown.add(0.3, math.inf)
    assert slowdown.value == pytest.approx(1.0)


def test_it_survives_a_restart() -> None:
    first = after([1 / (index + 1) for index in range(50)])
    second = Slowdown()
    second.load_state_dict(first.state_dict())
    before = first.value
    assert second.value == before
    first.add(0.3, 9.0)  # the two share nothing
    assert second.value == before != first.value
