from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import Volume
from spss_apps.benchmarks.propagation_bound import best_forecast, samples
from spss_apps.benchmarks.propagation_table import auroc
from spss_apps.benchmarks.propagation_tasks import Task


def test_the_best_forecast_uses_both_and_knows_nothing_of_noise():
    rng = np.random.default_rng(0)
    depth, share, noise = rng.random((3, 60_000))
    right = (rng.random(depth.size) < 0.1 + 0.4 * depth + 0.4 * share).astype(float)
    both = auroc(best_forecast(depth, share, right), right)
    assert both > auroc(depth, right) + 0.03
    assert both > auroc(share, right) + 0.03
    coin = (rng.random(depth.size) < 0.5).astype(float)
    assert auroc(best_forecast(depth, noise, coin), coin) == pytest.approx(0.5, abs=0.06)


def test_a_structure_that_ends_is_right_before_and_wrong_after():
    truth = np.zeros((10, 24, 24), np.uint8)
    truth[2:7, 6:18, 6:18] = 1
    steady = np.zeros(truth.shape, np.float32)
    steady[:, 6:18, 6:18] = 100
    planes = (Plane(0, 4),)
    task = Task("x", Volume(steady, np.eye(4), "x"), truth, 0, planes, 2, "one")
    _, share, right, *_ = samples(task)
    assert set(np.unique(share)) == {0.0, 1.0}
    assert (share == right).all()
    assert right.size == 9 * 144
