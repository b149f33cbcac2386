import numpy as np
import pytest

from spss.annotation import Plane
from spss.datasets import make_phantoms, split
from spss.volumes import read_label
from spss_apps.benchmarks import suggestion_oracle
from spss_apps.benchmarks.suggestion_oracle import best_planes, label_worth


def test_a_plane_is_worth_what_it_carries_and_nothing_where_it_is_empty(tmp_path, monkeypatch):
    dataset = make_phantoms(tmp_path / "set", 4, shape=(16, 20, 16))
    path = tmp_path / "out" / "worth.json"
    worth = label_worth(dataset, 2, path)
    assert worth.keys() == set(split(dataset)["train"])
    for name, values in worth.items():
        truth = read_label(dataset.case(name).label)
        shown = np.flatnonzero(truth.any((0, 1)))
        assert np.flatnonzero(values).tolist() == shown.tolist()
        assert 0.5 < max(values) <= 1
        assert max(values) > values[shown[0]]  # an end of the organ carries worse
    monkeypatch.setattr(suggestion_oracle, "propagate", None)  # nothing is carried again
    assert label_worth(dataset, 2, path) == worth


def test_the_best_planes_of_volumes_without_any_come_first():
    worth = {"a": [0.1, 0.5], "b": [0.7, 0.2], "c": [0.3, 0.6], "drawn": [0.9, 0.9]}
    found = best_planes(worth, {"drawn": (Plane(1, 0),)}, axis=1, count=2)
    assert [(each.image_id, each.plane) for each in found] == [
        ("b", Plane(1, 0)),
        ("c", Plane(1, 1)),
    ]
    assert [each.score for each in found] == pytest.approx([0.7, 0.6])
