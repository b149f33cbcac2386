from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane
from spss.datasets import make_phantoms, open_decathlon, split
from spss.propagation.evidence import FEATURES
from spss.propagation.stack import Stack
from spss_apps.benchmarks import fit_end
from spss_apps.benchmarks.propagation_tasks import measured_cases


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    root = tmp_path_factory.mktemp("fit") / "Task04_Hippocampus"
    make_phantoms(root, 10, shape=(16, 20, 16), seed=3)
    return root


@pytest.mark.parametrize("set_name", ["hippocampus", "acdc"])
def test_nothing_that_is_measured_or_tested_on_is_fitted_on(phantoms, set_name, monkeypatch):
    monkeypatch.setattr("spss_apps.benchmarks.propagation_tasks.HIPPOCAMPUS_VOLUMES", 4)
    dataset = open_decathlon(phantoms)
    names = {case.name for case in fit_end.train_cases(phantoms, set_name)}
    parts = split(dataset)
    measured = {case.name for case in measured_cases(dataset, set_name)}
    assert names == set(parts["train"]) - measured
    assert names
    assert measured


def test_what_is_fitted_tells_inside_from_outside(phantoms):
    cases = list(open_decathlon(phantoms).cases)
    seen = fit_end.gather(cases, (0, 2), 6, 6000, np.random.default_rng(0))
    assert seen.features.shape == (len(seen.truth), len(FEATURES))
    end = fit_end.fit(seen, steps=60)
    logits = end(seen.features)
    inside = seen.truth > 0.5
    assert logits[inside].mean() > logits[~inside].mean() + 1


def test_a_thicker_stack_still_holds_the_drawn_slice():
    rng = np.random.default_rng(1)
    label = np.zeros((4, 60, 5), np.uint8)
    label[:, 33] = 1
    slices = np.moveaxis(label, 1, 0).astype(np.float32)
    for _ in range(20):
        stack, thinned, plane = fit_end._thicker(
            Stack(slices, 1.0, (1.0, 1.0)), label, Plane(1, 33), rng
        )
        assert thinned[plane.slices].all()
        assert stack.slices[plane.index].all()
        assert len(stack.slices) * stack.thickness_mm == pytest.approx(60, abs=4)
