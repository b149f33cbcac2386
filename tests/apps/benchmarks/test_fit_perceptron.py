from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.evidence import FEATURES
from spss_apps.benchmarks.fit_perceptron import Samples, fit


@pytest.fixture(scope="module")
def samples():
    """Thirty structures; a voxel belongs when two channels together say so."""
    rng = np.random.default_rng(0)
    features = rng.normal(3, 2, (30, 80, len(FEATURES))).astype(np.float32)
    truth = (features[..., 0] + features[..., 1] > 6).astype(np.float32)
    return Samples(features, truth, np.ones(30, np.float32))


def right(end, samples):
    flat = samples.features.reshape(-1, samples.features.shape[-1])
    return float(((end(flat) > 0) == (samples.truth.ravel() > 0.5)).mean())


def test_a_fit_learns_what_its_channels_say(samples):
    assert right(fit(samples, 120), samples) > 0.9


def test_a_seed_says_which_fit(samples):
    first, again, other = (fit(samples, 12, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights[0], again.weights[0])
    assert np.abs(first.weights[0] - other.weights[0]).max() > 0.01


def test_structures_without_weight_teach_nothing(samples):
    wrong = samples.truth.copy()
    wrong[:15] = 1 - wrong[:15]
    weight = np.where(np.arange(30) < 15, 0, 1).astype(np.float32)
    end = fit(Samples(samples.features, wrong, weight), 120)
    assert right(end, samples) > 0.9
