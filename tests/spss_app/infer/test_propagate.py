"""The draft from planes over HTTP: its range, and the published network's opinion in it."""

import numpy as np
import pytest

from spss.annotation import Plane
from spss_app.models import PublishedModel

AXIS_2 = Plane(2, 7)


@pytest.fixture
def drawn(server, tmp_path, only_plane, label_info):
    """A server that was given one plane of phantom_000."""
    label = only_plane(server.truth("phantom_000"), AXIS_2)
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    return server


@pytest.fixture
def network(drawn, monkeypatch, tmp_path):
    """A published network that calls all but the drawn plane class 2, and what it was asked."""
    asked = []
    plane = drawn.truth("phantom_000")[AXIS_2.slices]

    def probabilities(model, volume, names):
        asked.append((model.version, tuple(names)))
        found = np.full((len(names), *volume.data.shape), 0.005, np.float32)
        found[2] = 0.99
        for index in range(len(names)):
            found[(index, *AXIS_2.slices)] = np.where(plane == index, 0.99, 0.005)
        return found

    project = drawn.app.project
    monkeypatch.setattr(project.models, "published", lambda: PublishedModel("v1", tmp_path, {}))
    monkeypatch.setattr(project.predicting, "probabilities", probabilities)
    return asked


def test_a_range_is_kept_to(drawn, tmp_path):
    found = drawn.infer_label("propagate", "phantom_000", tmp_path, range=1)
    present = np.flatnonzero((found > 0).any(axis=(0, 1)))
    assert present.tolist() == [6, 7, 8]
    whole = drawn.infer_label("propagate", "phantom_000", tmp_path, range=0)
    assert len(np.flatnonzero((whole > 0).any(axis=(0, 1)))) > 3


def test_the_network_speaks_where_the_plane_is_far(drawn, network, tmp_path):
    found = drawn.infer_label("propagate", "phantom_000", tmp_path)
    assert (found[..., 0] == 2).mean() > 0.9
    np.testing.assert_array_equal(found[..., 7], drawn.truth("phantom_000")[..., 7])
    assert network == [("v1", ("background", "front", "back"))]
    said = drawn.infer("propagate", "phantom_000", output="json").json()
    assert said["message"] == "propagated from 1 plane, joined with the network"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (0, "not joined with the network, which sees nothing of what was drawn"),
        (1, "joined with the network as far as it agrees with what was drawn (Dice 0."),
    ],
    ids=["nothing", "one class everywhere"],
)
def test_a_draft_says_how_far_the_network_was_heard(drawn, network, monkeypatch, seen, said):
    def probabilities(model, volume, names):
        found = np.full((len(names), *volume.data.shape), 0.005, np.float32)
        found[seen] = 0.99
        return found

    monkeypatch.setattr(drawn.app.project.predicting, "probabilities", probabilities)
    answer = drawn.infer("propagate", "phantom_000", output="json").json()
    assert answer["message"].startswith(f"propagated from 1 plane, {said}")


def test_the_network_can_be_left_out(drawn, network, tmp_path):
    found = drawn.infer_label("propagate", "phantom_000", tmp_path, join=False)
    assert not (found[..., 0] == 2).any()
    assert not network


@pytest.mark.parametrize("wrong", [{"range": -1}, {"range": "far"}, {"join": "maybe"}])
def test_an_unusable_option_is_named(drawn, wrong):
    answer = drawn.infer("propagate", "phantom_000", output="json", **wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.json()["detail"]


def test_viewers_are_offered_the_options(drawn):
    config = drawn.http.get("/info/").json()["models"]["propagate"]["config"]
    assert config["propagator"][0] == "auto"
    assert config["range"] == 0
    assert config["join"] is True


@pytest.mark.parametrize("model", ["propagate", "spss"])
def test_a_viewer_that_cannot_decompress_gets_plain_voxels(drawn, model):
    """OHIF asks for it: its panel stumbles over compressed volumes with an odd number of voxels."""
    plain, small = (
        drawn.infer(
            model, "phantom_000", output="image", result_extension=".nrrd", result_compress=compress
        ).content
        for compress in (False, True)
    )
    assert b"encoding: raw" in plain.split(b"\n\n", 1)[0]
    assert b"encoding: gzip" in small.split(b"\n\n", 1)[0]
    voxels = np.frombuffer(plain.split(b"\n\n", 1)[1], np.uint8)
    assert voxels.size == np.prod(drawn.truth("phantom_000").shape)
