"""Scores of many cases in a few honest numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spss.metrics.scores import METRICS, Scores

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Statistic:
    """One metric of one class (or of the classes' mean) over cases.

    Attributes:
        mean: mean over the measured cases.
        interval: half-width of the mean's 95 % interval (Student's t over cases); NaN for one case.
        p5: 5th percentile over cases: the weak cases in Dice and Jaccard.
        p95: 95th percentile over cases: the weak cases in the distances.
        count: measured cases; cases in which truth and prediction are both empty are left out.
    """

    mean: float
    interval: float
    p5: float
    p95: float
    count: int


@dataclass(frozen=True)
class Summary:
    """Statistics by class name, then metric; the classes' mean under ``"mean"``."""

    statistics: dict[str, dict[str, Statistic]]
    case_count: int

    def as_json(self) -> dict[str, Any]:
        """Plain numbers; NaN, which JSON has not, becomes None."""
        return {
            name: {
                metric: {key: _json_number(value) for key, value in asdict(statistic).items()}
                for metric, statistic in row.items()
            }
            for name, row in self.statistics.items()
        }


def summarise(scores: Sequence[Scores], class_names: Sequence[str]) -> Summary:
    """Statistics per foreground class and of the per-case mean over classes.

    Args:
        scores: one entry per case.
        class_names: names including background first.
    """
    rows: dict[str, dict[str, Statistic]] = {}
    for position, name in enumerate(class_names[1:]):
        rows[name] = {
            metric: statistic([case.of(metric)[position] for case in scores]) for metric in METRICS
        }
    rows["mean"] = {metric: statistic([case.mean(metric) for case in scores]) for metric in METRICS}
    return Summary(rows, len(scores))


def statistic(values: Sequence[float] | NDArray[np.float64]) -> Statistic:
    """Mean, 95 % interval and percentiles of the values that are not NaN."""
    array = np.asarray(values, dtype=np.float64)
    array = array[np.isfinite(array)]
    if not array.size:
        return Statistic(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    low, high = np.percentile(array, [5, 95])
    return Statistic(
        float(array.mean()), _interval(array), float(low), float(high), int(array.size)
    )


def _interval(values: NDArray[np.float64]) -> float:
    if values.size < 2:
        return float("nan")
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, values.size - 1)
    return float(quantile * values.std(ddof=1) / np.sqrt(values.size))


def _json_number(value: float | int) -> float | int | None:
    return None if isinstance(value, float) and not np.isfinite(value) else value
