"""A network's probabilities in the task's order of classes."""

from types import SimpleNamespace

import numpy as np
import pytest

from spss.volumes import Volume
from spss_app.predicting import Predicting


@pytest.fixture
def predicting(monkeypatch):
    """Loads a network of classes background, b, a, whose channels hold 0, 1, 2; it needs 2 GB."""
    found = np.broadcast_to(np.arange(3.0)[:, None, None, None], (3, 2, 2, 2))
    plan = SimpleNamespace(peak_gb=2.0, budget_gb=4.0, in_words=lambda: "2 GB")
    loaded = SimpleNamespace(
        plan=plan,
        memory_plan=lambda planned, stored, probabilities: plan,
        class_names=("background", "b", "a"),
        predict=lambda volume, probabilities: SimpleNamespace(probabilities=found),
    )
    monkeypatch.setattr(Predicting, "predictor", lambda self, model, device: loaded)
    return Predicting(models=None, device="cpu")


def _volume(constant=False):
    data = np.zeros(8) if constant else np.arange(8)
    return Volume(data.reshape(2, 2, 2).astype(np.float32), np.eye(4), "x")


def test_channels_follow_the_tasks_names(predicting):
    found = predicting.probabilities(None, _volume(), ("background", "a", "b"))
    assert found[:, 0, 0, 0].tolist() == [0, 2, 1]


def test_a_network_of_other_classes_has_no_opinion(predicting):
    assert predicting.probabilities(None, _volume(), ("background", "a", "c")) is None


def test_a_constant_image_has_no_opinion(predicting):
    assert predicting.probabilities(None, _volume(constant=True), ("background", "a", "b")) is None


def test_an_opinion_too_large_for_the_memory_is_left_out(predicting):
    predicting.predictor(None, "cpu").plan.budget_gb = 1.0
    assert predicting.probabilities(None, _volume(), ("background", "a", "b")) is None
