"""The network's answer over HTTP, in volumes where a person has drawn."""

import numpy as np
import pytest

from spss.annotation import Plane
from spss.inference import Prediction
from spss_app.models import PublishedModel

DRAWN = Plane(2, 7)


@pytest.fixture
def certain(server, tmp_path, only_plane, label_info, monkeypatch):
    """A server with one plane of phantom_000, and a network that calls everything class 2."""
    label = only_plane(server.truth("phantom_000"), DRAWN)
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)

    def predict(model, volume, names, **options):
        return Prediction(np.full(volume.data.shape, 2, np.uint8), None)

    project = server.app.project
    monkeypatch.setattr(project.models, "published", lambda: PublishedModel("v1", tmp_path, {}))
    monkeypatch.setattr(project.predicting, "predict", predict)
    return server


def test_a_drawn_plane_is_shown_as_it_was_drawn(certain, tmp_path):
    shown = certain.infer_label("spss", "phantom_000", tmp_path)
    truth = certain.truth("phantom_000")
    assert (shown[DRAWN.slices] == truth[DRAWN.slices]).all()
    assert (np.delete(shown, DRAWN.index, axis=DRAWN.axis) == 2).all()


def test_a_volume_without_a_plane_is_the_networks_alone(certain, tmp_path):
    assert (certain.infer_label("spss", "phantom_001", tmp_path) == 2).all()
