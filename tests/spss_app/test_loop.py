"""The loop over HTTP: next sample, submit, propagate, next sample."""

import io
import json
import zipfile

import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import read_label


def _suggested(answer):
    return Plane(answer["suggestion"]["axis"], answer["suggestion"]["index"])


def test_the_answer_tells_which_volume_which_plane_and_why(server):
    answer = server.next().json()
    suggestion = answer["suggestion"]
    plane = _suggested(answer)
    image = server.image(answer["id"])
    assert answer["id"] in server.app.datastore().list_images()
    assert suggestion["name"] == plane.anatomical_name(image.affine)
    assert suggestion["reason"]
    assert np.allclose(suggestion["point_ras_mm"], plane.centre_ras_mm(image.affine, image.shape))
    assert np.allclose(suggestion["normal_ras"], plane.normal_ras(image.affine))
    assert np.allclose(
        np.array(suggestion["point_lps_mm"])[:2], -np.array(suggestion["point_ras_mm"])[:2]
    )
    assert str(plane.index) in answer["PatientID"]
    assert suggestion["name"] in answer["PatientID"]
    assert answer["name"] == f"{answer['id']}.nii.gz"
    assert answer["checksum"].startswith("SHA256:")


@pytest.mark.parametrize("strategy", ["self_paced", "strided", "random", "first"])
def test_every_strategy_gives_a_sample(server, strategy):
    answer = server.next(strategy, seed=1)
    assert answer.status_code == 200
    _suggested(answer.json()).check(server.image(answer.json()["id"]).shape)


def test_a_drawn_plane_becomes_a_volume(server, tmp_path, only_plane, label_info):
    answer = server.next().json()
    image_id, plane = answer["id"], _suggested(answer)
    truth = server.truth(image_id)
    said = server.submit_array(
        image_id, only_plane(truth, plane), tmp_path, label_info=label_info
    ).json()
    name = answer["suggestion"]["name"]
    assert said["understood"].startswith(f"1 {name} plane, {plane.index}: ")
    assert said["understood"].endswith("1 plane in all")
    assert said["annotated_planes"] == [{"axis": plane.axis, "index": plane.index}]
    for ending in (".nii.gz", ".nrrd"):
        volume = server.infer_label("propagate", image_id, tmp_path, ending)
        assert (volume[plane.slices] == truth[plane.slices]).all()
        overlap = 2 * ((volume > 0) & (truth > 0)).sum() / ((volume > 0).sum() + (truth > 0).sum())
        assert overlap > 0.5


def test_planes_of_two_submits_both_stay(server, tmp_path, only_plane, label_info):
    truth = server.truth("phantom_001")
    for index in (6, 9):
        label = only_plane(truth, Plane(2, index))
        said = server.submit_array("phantom_001", label, tmp_path, label_info=label_info).json()
    assert said["understood"].endswith("2 planes in all")
    assert server.ledger.standing("phantom_001").planes == (Plane(2, 6), Plane(2, 9))
    final = read_label(server.app.datastore().get_label_uri("phantom_001", "final"))
    assert (final[..., [6, 9]] == truth[..., [6, 9]]).all()
    assert not np.delete(final, [6, 9], axis=2).any()


def test_partly_annotated_volumes_are_offered_again(server, tmp_path, only_plane, label_info):
    for image_id in server.app.datastore().list_images():
        label = only_plane(server.truth(image_id), Plane(2, 6))
        server.submit_array(image_id, label, tmp_path, label_info=label_info)
    answer = server.next(axis="2").json()
    assert _suggested(answer) != Plane(2, 6)


def test_a_draft_waits_for_slicer_when_next_sample_answers(
    server, tmp_path, only_plane, label_info
):
    for image_id in server.app.datastore().list_images():
        label = only_plane(server.truth(image_id), Plane(2, 6))
        server.submit_array(image_id, label, tmp_path, label_info=label_info)
    image_id = server.next().json()["id"]
    index = server.http.get("/datastore/", params={"output": "all"}).json()
    info = index["objects"][image_id]["labels"]["original"]["info"]
    names = info["params"]["label_names"]
    draft = server.http.get("/datastore/label", params={"label": image_id, "tag": "original"})
    file = tmp_path / "draft.nii.gz"
    file.write_bytes(draft.content)
    values = [int(value) for value in np.unique(read_label(file)) if value]
    assert list(names.values()) == values
    assert set(names) <= {"front", "back"}


def test_correcting_one_plane_of_the_draft_annotates_that_plane(
    server, tmp_path, only_plane, label_info
):
    label = only_plane(server.truth("phantom_002"), Plane(2, 6))
    server.submit_array("phantom_002", label, tmp_path, label_info=label_info)
    volume = server.infer_label("propagate", "phantom_002", tmp_path)
    corrected = volume.copy()
    corrected[..., 8] = server.truth("phantom_002")[..., 8]
    corrected[7:10, 7:10, 8] = 3 - np.maximum(corrected[7:10, 7:10, 8], 1)
    said = server.submit_array("phantom_002", corrected, tmp_path, label_info=label_info).json()
    assert said["annotated_planes"] == [{"axis": 2, "index": 8}]
    assert said["understood"].endswith("2 planes in all")


def test_an_empty_plane_that_is_named_is_an_annotation(server, tmp_path, label_info):
    empty = np.zeros(server.image("phantom_000").shape, np.uint8)
    said = server.submit_array(
        "phantom_000", empty, tmp_path, annotated_planes=[{"axis": 0, "index": 0}]
    ).json()
    assert "nothing on it" in said["understood"]
    assert server.ledger.standing("phantom_000").planes == (Plane(0, 0),)


def test_an_empty_label_after_a_suggestion_means_that_plane(server, tmp_path):
    answer = server.next(client_id="ada").json()
    empty = np.zeros(server.image(answer["id"]).shape, np.uint8)
    said = server.submit_array(answer["id"], empty, tmp_path, client_id="ada")
    assert said.status_code == 200
    assert server.ledger.standing(answer["id"]).planes == (_suggested(answer),)


def test_two_annotators_get_different_images(server):
    first = server.next(client_id="ada").json()["id"]
    second = server.next(client_id="ben").json()["id"]
    assert first != second
    assert server.next("first", client_id="ada").json()["id"] != second


def test_a_dense_label_is_the_whole_volume(server, tmp_path, label_info):
    truth = server.truth("phantom_003")
    said = server.submit_array(
        "phantom_003", truth, tmp_path, label_info=label_info, annotated_planes="dense"
    ).json()
    assert said["understood"] == "the whole volume: front, back; all voxels decided"
    assert server.ledger.sparse_label("phantom_003", ("background", "front", "back")).is_dense
    assert "phantom_003" not in {server.next("random", seed=s).json()["id"] for s in range(8)}


def test_clicks_are_voxels(server, tmp_path, label_info):
    clicks = np.zeros(server.image("phantom_000").shape, np.uint8)
    clicks[3, 4, 5] = 2
    said = server.submit_array(
        "phantom_000", clicks, tmp_path, label_info=label_info, annotated_planes="voxels"
    ).json()
    assert said["understood"].startswith("1 voxels: back")
    assert server.ledger.standing("phantom_000").voxels


def test_the_same_submit_twice_is_one_entry(server, tmp_path, only_plane, label_info):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    entries = {
        server.submit_array("phantom_000", label, tmp_path, label_info=label_info).json()["entry"]
        for _ in range(2)
    }
    assert len(entries) == 1
    assert len(server.ledger.history("phantom_000")) == 1


def test_before_the_first_training_spss_answers_with_the_draft(
    server, tmp_path, only_plane, label_info
):
    nothing = server.infer("spss", "phantom_000", output="json")
    assert nothing.status_code == 200
    assert "No network is trained yet" in nothing.json()["message"]
    assert not server.infer_label("spss", "phantom_000", tmp_path).any()
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    assert server.infer_label("spss", "phantom_000", tmp_path).any()
    assert server.infer("spss", "phantom_000", output="json").json()["message"] == (
        "propagated from 1 plane"
    )


def test_propagating_before_anything_is_drawn_says_what_to_do(server):
    answer = server.infer("propagate", "phantom_000")
    assert answer.status_code == 409
    assert "draw a plane" in answer.json()["detail"]


def test_a_saved_inference_waits_under_its_tag(server, tmp_path, only_plane, label_info):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    answer = server.infer(
        "propagate", "phantom_000", output="json", save_label=True, label_tag="draft"
    )
    assert answer.status_code == 200
    assert server.app.datastore().get_label_uri("phantom_000", "draft").endswith(".nii.gz")


def test_deleting_a_final_label_withdraws_it_but_keeps_history(
    server, tmp_path, only_plane, label_info
):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    answer = server.http.delete("/datastore/label", params={"id": "phantom_000", "tag": "final"})
    assert answer.status_code == 200
    assert server.ledger.standing("phantom_000").is_empty
    assert len(server.ledger.history("phantom_000")) == 2


def test_a_restarted_server_knows_everything(serve, server, studies, tmp_path, only_plane):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path, annotated_planes=[{"axis": 2, "index": 6}])
    again = serve(studies)
    assert again.ledger.standing("phantom_000").planes == (Plane(2, 6),)
    status = again.http.get("/info/").json()["datastore"]
    assert status["completed"] == 1
    assert status["total"] == 4


def test_the_labels_of_a_decathlon_folder_are_never_read(server, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr("builtins.open", _recording(open, opened))
    monkeypatch.setattr("nibabel.load", _recording(__import__("nibabel").load, opened))
    server.next()
    server.http.get("/info/")
    server.http.get("/datastore/", params={"output": "all"})
    assert opened
    assert not [path for path in opened if "labelsTr" in path]


def _recording(function, opened):
    def call(path, *args, **kwargs):
        opened.append(str(path))
        return function(path, *args, **kwargs)

    return call


def test_the_archive_holds_the_labelled_images(server, tmp_path, only_plane, label_info):
    assert server.http.get("/datastore/dataset").status_code == 409
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    answer = server.http.get("/datastore/dataset")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert "image/phantom_000.nii.gz" in names
    assert "label/phantom_000.nii.gz" in names


def test_info_shows_methods_constants_and_classes(server):
    info = server.http.get("/info/").json()
    assert info["labels"] == ["front", "back"]
    assert list(info["models"]) == ["spss", "propagate"]
    assert "self_paced" in info["scoring"]
    config = info["trainers"]["spss"]["config"]
    assert {"masked", "pseudo", "mean_teacher"} <= set(config["method"])
    assert config["method"][0] == "spss"
    assert "consistency_weight" in config
    stats = info["train_stats"]["spss"]
    assert (stats["epoch"], stats["best_metric"]) == (0, 0.0)
    assert stats["total_epochs"] > 1
    json.dumps(info)
