from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.perceptron import BLOCK, Perceptron


@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK + 3])
def test_every_sample_is_answered_in_its_place(count):
    rng = np.random.default_rng(0)
    sizes = ((4, 6), (6, 3), (3, 1))
    net = Perceptron(
        tuple(rng.normal(size=size).astype(np.float32) for size in sizes),
        tuple(rng.normal(size=size[1]).astype(np.float32) for size in sizes),
    )
    samples = rng.normal(size=(count, 4)).astype(np.float32)
    before = samples.copy()
    first, second, third = net.weights
    hidden = np.maximum(samples @ first + net.biases[0], 0)
    expected = np.maximum(hidden @ second + net.biases[1], 0) @ third + net.biases[2]
    np.testing.assert_allclose(net(samples), expected[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(samples, before)
