import numpy as np
import pytest

from spss.annotation import Plane
from spss.datasets import make_phantoms
from spss.errors import InputError
from spss.volumes import read_label, write_label
from spss_apps.annotator import Question, SimulatedAnnotator
from spss_apps.client import connect

SHAPE = (16, 16, 16)


class Server:
    """Keeps what is submitted, and answers a propagation with the whole truth."""

    def __init__(self, dataset, folder):
        self.dataset = dataset
        self.folder = folder
        self.submits = []
        self.sample = {}

    def next_sample(self, strategy, params):
        return self.sample

    def save_label(self, image_id, label_in, params):
        self.submits.append((image_id, read_label(label_in), params))
        return {"understood": "1 plane"}

    def infer(self, model, image_id, params):
        path = self.folder / "answer.nii.gz"
        case = self.dataset.case(image_id)
        write_label(path, read_label(case.label), like=_grid(case))
        return str(path), {}


def _grid(case):
    from spss.volumes import read_grid

    return read_grid(case.image)


@pytest.fixture
def played(tmp_path):
    connect("http://127.0.0.1:1", downloads=tmp_path)
    dataset = make_phantoms(tmp_path / "data", 2, shape=SHAPE, seed=5)
    server = Server(dataset, tmp_path)
    annotator = SimulatedAnnotator(
        server, dataset.cases, dataset.class_names, folder=tmp_path / "drawn"
    )
    return annotator, server, dataset


def question(dataset, plane):
    return Question(dataset.cases[0].name, plane, "sagittal", "because", 1.0)


def middle(truth):
    return int(np.median(np.flatnonzero((truth > 0).any(axis=(1, 2)))))


def test_only_the_asked_plane_is_drawn_and_named(played):
    annotator, server, dataset = played
    truth = annotator.truth(dataset.cases[0].name)
    index = middle(truth)
    assert annotator.draw(question(dataset, Plane(0, index))) == "1 plane"
    (_, drawn, params) = server.submits[0]
    np.testing.assert_array_equal(drawn[index], truth[index])
    drawn[index] = 0
    assert not drawn.any()
    assert params["annotated_planes"] == [{"axis": 0, "index": index}]
    assert {"name": "front", "idx": 1} in params["label_info"]


def test_an_empty_plane_is_an_answer_and_leaves_nothing_to_propagate(played):
    annotator, server, dataset = played
    name = dataset.cases[0].name
    truth = annotator.truth(name)
    empty = int(np.flatnonzero(~(truth > 0).any(axis=(1, 2)))[0])
    annotator.draw(question(dataset, Plane(0, empty)))
    assert len(server.submits) == 1
    assert not annotator.propagated(name).any()
    annotator.draw(question(dataset, Plane(0, middle(truth))))
    assert annotator.propagated(name).any()


def test_nothing_left_to_draw_is_said_in_one_sentence(played):
    annotator, server, _ = played
    with pytest.raises(InputError, match="no plane left"):
        annotator.ask("self_paced")
    server.sample = {"id": "stranger"}
    with pytest.raises(InputError, match="stranger"):
        annotator.ask("self_paced")


def test_a_sample_is_read_as_a_question(played):
    annotator, server, dataset = played
    server.sample = {
        "id": dataset.cases[1].name,
        "suggestion": {"axis": 2, "index": 7, "name": "axial", "reason": "x", "score": 0.5},
    }
    asked = annotator.ask("strided", axis="2", seed=3)
    assert asked == Question(dataset.cases[1].name, Plane(2, 7), "axial", "x", 0.5)
