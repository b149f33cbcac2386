from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.decision import SELDOM_BELOW, best_threshold, class_probabilities


def test_classes_share_the_voxel():
    logits = np.array([[0.0, 9.0, -9.0], [0.0, -9.0, -9.0]], np.float32)
    joined = class_probabilities(logits)
    np.testing.assert_allclose(joined.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(joined[:, 0], 1 / 3, atol=1e-6)
    assert joined[1, 1] > 0.99
    assert joined[0, 2] > 0.99


def test_the_threshold_maximises_expected_dice():
    rng = np.random.default_rng(0)
    probability = rng.beta(0.6, 2.0, 200_000).astype(np.float32)
    truth = rng.random(probability.size) < probability

    def dice(threshold):
        found = probability > threshold
        return 2 * (found & truth).sum() / (found.sum() + truth.sum())

    chosen = best_threshold(probability)
    assert chosen < 0.45
    assert dice(chosen) >= max(dice(t) for t in np.arange(0.2, 0.8, 0.05)) - 0.005
    assert dice(chosen) > dice(0.5) + 0.01


@pytest.mark.parametrize("value", [0.0, 0.01])
def test_hopeless_maps_do_not_paint_everything(value):
    assert best_threshold(np.full(1000, value, np.float32)) >= SELDOM_BELOW


def test_certain_maps_keep_one_half():
    probability = np.repeat([0.001, 0.999], 500).astype(np.float32)
    assert best_threshold(probability) <= 0.5
