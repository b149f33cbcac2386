"""The overview that dashboards read."""

import json

import numpy as np
import pytest

from spss.annotation import Plane


def get(server, **params):
    answer = server.http.get("/spss/overview", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_volumes_are_untouched_have_planes_or_are_dense(server, tmp_path, only_plane, label_info):
    label = only_plane(server.truth("phantom_001"), Plane(2, 6))
    server.submit_array("phantom_001", label, tmp_path, label_info=label_info)
    server.submit_array(
        "phantom_002", server.truth("phantom_002"), tmp_path, label_info=label_info, dense=True
    )
    images = {image["id"]: image for image in get(server)["images"]}
    assert images["phantom_000"]["state"] == "untouched"
    assert images["phantom_001"]["state"] == "planes"
    assert images["phantom_001"]["planes"] == [{"axis": 2, "index": 6, "name": "axial"}]
    assert images["phantom_002"]["state"] == "dense"


def test_the_queue_says_what_next_sample_will_say_and_takes_nothing_away(server):
    before = get(server, queue=3)["queue"]
    assert len(before) == 3
    assert len({entry["image"] for entry in before}) == 3
    assert get(server, queue=3)["queue"] == before
    assert not (server.app.project.studies.own / "served").exists()
    asked = server.next(seed=0).json()
    assert asked["id"] == before[0]["image"]
    # by now the server has looked at the image, which moves the plane to where it shows something
    first = get(server, queue=1)["queue"][0]
    assert asked["id"] == first["image"]
    assert asked["suggestion"].items() <= first.items()


def test_before_any_training_there_is_no_curve_and_no_network(server):
    answer = get(server)
    assert answer["training"] == {"status": {}, "curve": []}
    assert answer["models"] == []
    assert len(answer["images"]) == 4


def test_the_curve_is_the_newest_run_even_while_its_last_line_is_written(server):
    log = server.app.project.models.root / "training" / "log.jsonl"
    log.parent.mkdir(parents=True)
    rounds = [{"event": "start", "iteration": 0}, {"event": "round", "iteration": 1, "loss": 9.0}]
    rounds += [{"event": "start", "iteration": 0}, {"event": "round", "iteration": 5, "loss": 2.0}]
    rounds += [{"event": "start", "iteration": 5}]  # resumed: the same run
    rounds += [{"event": "round", "iteration": 10, "loss": 1.5, "validation_dice": 0.7}]
    lines = "\n".join(json.dumps(entry) for entry in rounds)
    log.write_text(lines + '\n{"event": "round", "iter', encoding="utf-8")
    assert get(server)["training"]["curve"] == [
        {"iteration": 5, "loss": 2.0},
        {"iteration": 10, "loss": 1.5, "validation_dice": 0.7},
    ]


def test_networks_are_listed_with_their_held_out_dice(server):
    models = server.app.project.models
    for number, dice in ((1, 0.6), (2, 0.8)):
        models.training.mkdir(parents=True)
        (models.training / "model.pt").write_bytes(b"weights")
        record = {"method": "spss", "trained_on": ["a", "b"], "held_out": ["c"] * number}
        models.publish(models.keep_version({**record, "best_metric": dice}))
    listed = get(server)["models"]
    assert [entry["held_out_dice"] for entry in listed] == [0.6, 0.8]
    assert [entry["held_out"] for entry in listed] == [1, 2]
    assert [entry["in_use"] for entry in listed].count(True) == 1
    assert next(entry for entry in listed if entry["in_use"])["held_out_dice"] in (0.6, 0.8)


def test_a_broken_image_is_named_and_the_others_are_shown(server, studies):
    (studies / "imagesTr" / "broken.nii.gz").write_bytes(b"no image")
    answer = get(server)
    assert len(answer["images"]) == 4
    assert "broken" in answer["broken"]


@pytest.mark.parametrize("queue", [-1, 51, "many"])
def test_a_queue_of_impossible_length_is_refused(server, queue):
    assert server.http.get("/spss/overview", params={"queue": queue}).status_code == 422


def test_no_voxel_is_read(server, monkeypatch):
    monkeypatch.setattr(type(server.app.project.volumes), "volume", _fail)
    assert np.size(get(server)["queue"]) > 0


def _fail(*args):
    raise AssertionError("a volume was read")
