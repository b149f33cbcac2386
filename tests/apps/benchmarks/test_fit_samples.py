from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane
from spss.datasets import make_phantoms, open_decathlon
from spss.propagation.evidence import FEATURES
from spss.propagation.stack import Stack
from spss_apps.benchmarks import fit_samples
from spss_apps.benchmarks.fit_organs import draw_cases
from spss_apps.benchmarks.fit_perceptron import fit


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    root = tmp_path_factory.mktemp("fit") / "Task04_Hippocampus"
    make_phantoms(root, 6, shape=(16, 20, 16), seed=3)
    rng = np.random.default_rng(0)
    drawn = draw_cases(open_decathlon(root).cases, (0, 2), 6, rng)
    return fit_samples.gather(drawn, 0.5, rng)


def test_every_structure_gives_as_many_voxels_and_counts_alike(gathered):
    count = len(gathered.truth)
    assert count >= 6
    assert gathered.features.shape == (count, fit_samples.VOXELS, len(FEATURES))
    assert gathered.truth.shape == (count, fit_samples.VOXELS)
    np.testing.assert_allclose(gathered.weight, 0.5 / count, rtol=1e-5)


def test_sets_are_joined_with_their_shares(gathered):
    both = fit_samples.joined([gathered, gathered])
    assert both.weight.sum() == pytest.approx(1)
    assert both.truth.shape[0] == 2 * gathered.truth.shape[0]


def test_what_is_fitted_tells_inside_from_outside(gathered):
    flat = gathered.features.reshape(-1, len(FEATURES))
    logits = fit(gathered, steps=60)(flat)
    inside = gathered.truth.ravel() > 0.5
    assert logits[inside].mean() > logits[~inside].mean() + 1


def test_a_thicker_stack_still_holds_the_drawn_slice():
    rng = np.random.default_rng(1)
    label = np.zeros((4, 60, 5), np.uint8)
    label[:, 33] = 1
    slices = np.moveaxis(label, 1, 0).astype(np.float32)
    for _ in range(20):
        stack, thinned, plane = fit_samples._thicker(
            Stack(slices, 1.0, (1.0, 1.0)), label, Plane(1, 33), rng
        )
        assert thinned[plane.slices].all()
        assert stack.slices[plane.index].all()
        assert len(stack.slices) * stack.thickness_mm == pytest.approx(60, abs=4)
