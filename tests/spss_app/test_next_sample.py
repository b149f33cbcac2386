"""Who is asked about what: leases, skipped images, empty answers, stale scores, advice."""

import json
import time

import numpy as np
import pytest

from spss.annotation import Plane
from spss.suggestion import DEFAULT_STRATEGY, ScoreNote, list_strategies, score_planes
from spss_app.scoring.progress import HeldOutProgress

REASON = "X-SPSS-Reason"
IDS = [f"phantom_{index:03d}" for index in range(4)]


def scored(server, image_id, *, model="v1", names=("background", "front", "back"), shape=None):
    shape = shape or server.image(image_id).shape
    classes = np.zeros(shape, np.uint8)
    classes[3:12, 3:12, 3:12] = 1
    scores = score_planes(
        classes, np.full(shape, 0.2, np.float32), spacing_mm=(1, 1, 1), class_count=len(names)
    )
    note = ScoreNote(model, tuple(names), scores, np.ones(4, np.float32))
    server.app.project.scores.write(image_id, note.to_json())


def test_nobody_is_offered_what_another_holds_and_the_empty_answer_says_so(server):
    asked = [server.next(client_id=f"client {number}").json()["id"] for number in range(4)]
    assert sorted(asked) == IDS
    answer = server.next(client_id="a fifth")
    assert answer.json() == {}
    assert "all 4 images that are left are held by other annotators" in answer.headers[REASON]


def test_a_lease_that_has_run_out_holds_nothing(serve, studies):
    server = serve(studies, lease_minutes="0.002")
    for number in range(4):
        server.next(client_id=f"client {number}")
    time.sleep(0.2)
    assert server.next(client_id="a fifth").json()["id"] in IDS


def test_asking_again_skips_and_what_was_skipped_comes_back_last(server):
    asked = [server.next("first", client_id="ada").json()["id"] for _ in range(4)]
    assert asked == IDS
    assert server.next("first", client_id="ada").json()["id"] == IDS[0]


def test_a_finished_set_says_that_nothing_is_left(server, tmp_path, label_info):
    for image_id in IDS:
        truth = server.truth(image_id)
        server.submit_array(image_id, truth, tmp_path, label_info=label_info, dense=True)
    answer = server.next()
    assert answer.json() == {}
    assert answer.headers[REASON] == "no image is left"


def test_scores_of_an_earlier_network_are_used_and_said_to_be_so(server):
    for image_id in IDS:
        scored(server, image_id)
    (state, *_), _ = server.app.project.image_states()
    assert state.scores is not None
    assert state.stale
    assert "earlier network" in server.next().json()["suggestion"]["reason"]


@pytest.mark.parametrize(
    "wrong", [{"names": ("background", "liver")}, {"shape": (9, 9, 9)}], ids=["classes", "shape"]
)
def test_scores_for_other_classes_or_another_image_are_not_used(
    server, tmp_path, label_info, only_plane, wrong
):
    label = only_plane(server.truth(IDS[3]), Plane(2, 6))
    server.submit_array(IDS[3], label, tmp_path, label_info=label_info)  # names the classes
    scored(server, IDS[0], **wrong)
    states, _ = server.app.project.image_states()
    assert states[0].scores is None
    assert IDS[0] in server.app._scoring_methods["self_paced"].unscored()


def test_scores_of_a_removed_image_are_passed_over(server):
    for image_id in IDS:
        scored(server, image_id)
    server.http.delete("/datastore/image", params={"id": IDS[1]})
    asked = {server.next(client_id=f"client {number}").json().get("id") for number in range(4)}
    assert asked == {IDS[0], IDS[2], IDS[3], None}


def test_scores_that_are_replaced_are_read_again(server):
    scored(server, IDS[0])
    (before, *_), _ = server.app.project.image_states()
    (again, *_), _ = server.app.project.image_states()
    assert again.scores is before.scores  # parsed once
    note = server.app.project.scores.read(IDS[0])
    note["scores"]["2"]["score"][0] = 0.875
    server.app.project.scores.write(IDS[0], note)
    (after, *_), _ = server.app.project.image_states()
    assert after.scores.axes[2].score[0] == 0.875


def test_broken_notes_count_as_absent(server):
    server.app.project.scores.write(IDS[0], {"model": "v1", "scores": {"0": 3}})
    server.app.project.contents.write(IDS[0], {"extent": "everywhere"})
    (state, *_), _ = server.app.project.image_states()
    assert (state.scores, state.content) == (None, None)


def test_before_any_draft_the_plane_lies_where_the_image_shows_something(server):
    answer = server.next("first").json()
    note = server.app.project.contents.read(answer["id"])
    low, high = note["extent"][answer["suggestion"]["axis"]]
    assert low <= answer["suggestion"]["index"] <= high
    assert "what the image shows" in server.next("strided").json()["suggestion"]["reason"]


def test_info_lists_all_strategies_the_default_first(server):
    listed = list(server.http.get("/info/").json()["strategies"])
    assert tuple(listed) == list_strategies()
    assert listed[0] == DEFAULT_STRATEGY


def test_the_answer_carries_advice_once_networks_were_measured(server):
    assert "advice" not in server.next().json()
    lines = [
        {"model": f"v{planes}", "planes": planes, "dice": {"a": dice - 0.01, "b": dice + 0.01}}
        for planes, dice in ((5, 0.80), (10, 0.80), (15, 0.80))
    ]
    HeldOutProgress(server.app.project)._notes.write("held-out", {"networks": lines})
    advice = server.next().json()["advice"]
    assert advice["stop"]
    assert "dense review" in advice["text"]
    assert "2 held-out volumes" in advice["text"]
    assert json.dumps(advice)
