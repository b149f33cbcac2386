"""Many cases in a few numbers."""

import json

import numpy as np
import pytest
from scipy import stats

from spss.metrics import Scores, summarise
from spss.metrics.summary import statistic


def case(*dice: float) -> Scores:
    values = np.array(dice)
    return Scores(values, values / (2 - values), 10 * (1 - values), 5 * (1 - values))


def test_the_interval_is_students() -> None:
    values = [0.5, 0.7, 0.8, 0.9]
    found = statistic(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean - found.interval, found.mean + found.interval) == pytest.approx((low, high))


def test_the_mean_row_averages_classes_within_a_case_first() -> None:
    summary = summarise([case(0.8, 0.4), case(1.0, 0.6)], ["background", "a", "b"])
    assert list(summary.statistics) == ["a", "b", "mean"]
    assert summary.statistics["a"]["dice"].mean == pytest.approx(0.9)
    assert summary.statistics["mean"]["dice"].mean == pytest.approx(0.7)
    assert summary.statistics["mean"]["hd95_mm"].mean == pytest.approx(3)
    assert summary.case_count == 2


def test_unmeasured_cases_are_left_out_and_counted() -> None:
    summary = summarise([case(0.8, np.nan), case(1.0, 0.6)], ["background", "a", "b"])
    assert summary.statistics["b"]["dice"].count == 1
    assert summary.statistics["b"]["dice"].mean == pytest.approx(0.6)
    assert summary.statistics["mean"]["dice"].count == 2


def test_the_weak_end_is_the_fifth_percentile() -> None:
    values = np.linspace(0, 1, 101)
    assert statistic(values).p5 == pytest.approx(0.05)
    assert statistic(values).p95 == pytest.approx(0.95)


def test_one_case_has_no_interval_and_json_has_no_nan() -> None:
    document = summarise([case(0.8, np.nan)], ["background", "a", "b"]).as_json()
    assert document["a"]["dice"]["interval"] is None
    assert document["b"]["dice"]["mean"] is None
    json.dumps(document, allow_nan=False)
