import math

import pytest

from spss.errors import InputError
from spss.suggestion import Progress, advise, estimate_dice


def curve(power, counts=(5, 10, 20, 40)):
    return [Progress(count, 1 - 0.5 * count**-power) for count in counts]


def test_a_power_law_is_continued():
    advice = advise(curve(0.5), next_planes=5)
    assert advice.predicted_gain == pytest.approx(0.5 * (40**-0.5 - 45**-0.5))


def test_small_gains_advise_dense_review_and_say_what_the_last_ones_cost():
    advice = advise(curve(0.05))
    assert advice.stop
    assert "The last 20 planes changed held-out Dice by" in advice.text
    assert "dense review" in advice.text
    assert not advise(curve(1.0, (2, 4, 6))).stop


def test_a_falling_curve_promises_nothing():
    advice = advise([Progress(5, 0.8), Progress(10, 0.79), Progress(15, 0.78)])
    assert advice.stop
    assert advice.predicted_gain == 0


def test_two_trainings_say_nothing_yet():
    advice = advise(curve(0.5, (5, 10)))
    assert advice.predicted_gain is None
    assert not advice.stop
    assert "2 so far" in advice.text


def test_trainings_with_the_same_planes_are_one_point():
    twice = [*curve(0.5, (5, 10)), *curve(0.5, (5, 10))]
    assert advise(twice).predicted_gain is None


def test_the_estimate_has_students_interval_and_leaves_out_what_was_not_measured():
    estimate = estimate_dice({"a": 0.7, "b": 0.8, "c": 0.9, "d": math.nan})
    assert estimate.dice == pytest.approx(0.8)
    # t(0.975, 2) = 4.303, standard error 0.1 / sqrt(3)
    assert estimate.low == pytest.approx(0.8 - 4.303 * 0.1 / math.sqrt(3), abs=1e-3)
    assert estimate.high == 1.0
    assert estimate.volumes == 3
    assert "3 held-out volumes" in advise(curve(0.5), estimate=estimate).text
    assert estimate_dice({"a": 0.7}) is None


def test_looking_no_plane_ahead_is_refused():
    with pytest.raises(InputError, match="1 or more, got 0"):
        advise(curve(0.5), next_planes=0)
