"""Uploads for a while: nothing outside the session store can be read or deleted through them."""

import json

import numpy as np

from spss.volumes import Grid, write_map


def _create(server, *files, **params):
    streams = [("files", (name, content)) for name, content in files]
    return server.http.put("/session/", params=params, files=streams)


def _image(tmp_path):
    grid = Grid((8, 8, 8), np.eye(4), "image")
    values = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    write_map(tmp_path / "image.nii.gz", values, like=grid)
    return (tmp_path / "image.nii.gz").read_bytes()


def test_an_uploaded_image_can_be_asked_about(server, tmp_path):
    session = _create(server, ("image.nii.gz", _image(tmp_path))).json()["session_id"]
    answer = server.http.post(
        "/infer/spss", params={"session_id": session, "output": "json"}, data={"params": "{}"}
    )
    assert answer.status_code == 200, answer.text
    assert "No network is trained" in answer.json()["message"]
    propagated = server.http.post(
        "/infer/propagate", params={"session_id": session, "output": "json"}
    )
    assert propagated.status_code == 422


def test_a_directly_uploaded_image_can_be_asked_about(server, tmp_path):
    answer = server.http.post(
        "/infer/spss",
        params={"output": "json"},
        files={"file": ("image.nii.gz", _image(tmp_path))},
    )
    assert answer.status_code == 200, answer.text


def test_a_forged_session_description_is_refused(server, tmp_path):
    secret = tmp_path / "secret.nii.gz"
    secret.write_bytes(_image(tmp_path))
    forged = json.dumps({"name": "x", "path": "/", "image": str(secret), "expiry": 9999})
    answer = _create(server, ("image.nii.gz", b"x"), ("meta.info", forged.encode()))
    assert answer.status_code == 422


def test_ids_that_are_no_sessions_lead_nowhere(server, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "meta.info").write_text(json.dumps({"image": "/nonexistent"}), encoding="utf-8")
    store = server.app.sessions().store_path
    for session_id in (f"../{outside.name}", "..", str(outside), "x", ""):
        assert server.app.sessions().get_session(session_id) is None
        server.app.sessions().remove_session(session_id)
    assert outside.is_dir()
    assert store


def test_archives_are_not_unpacked(server):
    answer = _create(server, ("image.tar", b"x"), uncompress=True)
    assert answer.status_code == 422
    assert "not unpacked" in answer.json()["detail"]


def test_a_stray_folder_does_not_stop_the_server(server, tmp_path):
    from pathlib import Path

    (Path(server.app.sessions().store_path) / "stray").mkdir(parents=True)
    assert server.app.sessions().remove_expired() == 0
    assert server.http.get("/info/").status_code == 200
