"""Every version of a label over HTTP, and after a restart: nothing that was drawn is lost."""

import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import read_label

IMAGE = "phantom_001"


@pytest.fixture
def drawn(server, tmp_path, only_plane, label_info):
    """A server on which planes 6 and 9 were drawn, one after the other."""
    server.client = server.app  # the app starts with the first question
    truth = server.truth(IMAGE)
    for index in (6, 9):
        answer = server.submit_array(
            IMAGE, only_plane(truth, Plane(2, index)), tmp_path, label_info=label_info, author="Ana"
        )
        assert answer.status_code == 200, answer.text
    return server


def _history(server, image_id=IMAGE):
    return server.http.get("/datastore/label/history", params={"image": image_id})


def _restore(server, entry, image_id=IMAGE):
    params = {"image": image_id, "entry": entry, "author": "Bo"}
    return server.http.put("/datastore/label/restore", params=params)


def _final_planes(server):
    path = server.app.datastore().get_label_uri(IMAGE, "final")
    return [] if not path else np.flatnonzero(read_label(path).any(axis=(0, 1))).tolist()


def test_versions_are_listed_and_an_earlier_one_restored(drawn):
    listed = _history(drawn).json()["versions"]
    assert [v["planes"] for v in listed] == [[{"axis": 2, "index": i}] for i in (6, 9)]
    assert [v["author"] for v in listed] == ["Ana", "Ana"]
    assert all(v["in_force"] and v["sha256"] for v in listed)
    answer = _restore(drawn, listed[0]["entry"])
    assert answer.json()["planes"] == [{"axis": 2, "index": 6}]
    assert _final_planes(drawn) == [6]
    listed = _history(drawn).json()["versions"]
    assert [v["in_force"] for v in listed] == [True, False, False]
    _restore(drawn, listed[1]["entry"])
    assert _final_planes(drawn) == [6, 9]
    assert len(_history(drawn).json()["versions"]) == 4


def test_all_can_be_taken_back_and_comes_back(drawn):
    newest = _history(drawn).json()["versions"][-1]["entry"]
    assert _restore(drawn, "none").json()["planes"] == []
    assert _final_planes(drawn) == []
    assert drawn.http.get("/datastore/").json()["completed"] == 0
    _restore(drawn, newest)
    assert _final_planes(drawn) == [6, 9]


def test_a_deleted_label_is_a_version_that_can_be_taken_back(drawn):
    newest = _history(drawn).json()["versions"][-1]["entry"]
    drawn.http.delete("/datastore/label", params={"id": IMAGE, "tag": "final"})
    assert _final_planes(drawn) == []
    _restore(drawn, newest)
    assert _final_planes(drawn) == [6, 9]


def test_what_is_not_there_is_a_4xx_with_a_sentence(drawn):
    assert _history(drawn, "nobody").status_code == 404
    answer = _restore(drawn, "000009-x")
    assert answer.status_code == 422
    assert "no entry '000009-x'" in answer.json()["detail"]
    assert _restore(drawn, "none", "nobody").status_code == 404
    assert len(_history(drawn).json()["versions"]) == 2


def test_a_final_label_left_behind_by_a_kill_is_written_at_the_next_start(drawn):
    store = drawn.app.project.store
    newest = _history(drawn).json()["versions"][-1]["entry"]
    drawn.ledger.restore(IMAGE, _history(drawn).json()["versions"][0]["entry"])
    assert _final_planes(drawn) == [6, 9]
    assert drawn.app.submitter.republish_stale() == 1
    assert _final_planes(drawn) == [6]
    assert drawn.app.submitter.republish_stale() == 0
    drawn.ledger.restore(IMAGE, newest)
    store.drop_label(IMAGE, "final")
    assert drawn.app.submitter.republish_stale() == 1
    assert _final_planes(drawn) == [6, 9]
