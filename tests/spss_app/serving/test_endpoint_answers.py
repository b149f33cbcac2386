"""MONAI Label's endpoints through the app: what ended in a 500 is a 4xx with a sentence."""

import errno
import io
import json
import tempfile
import zipfile

import pytest

from spss_app.serving import endpoint_answers
from spss_app.serving.who import WHO


@pytest.fixture(autouse=True)
def _loaded(server):
    """A real server loads the app before it answers; here the first request would."""
    assert server.app


def refused(answer, *words, status=(400, 404, 409, 422)):
    assert answer.status_code in status, answer.text
    assert all(word in answer.json()["detail"] for word in words), answer.text


@pytest.mark.parametrize("text", ["{", "[]", "7", "null", '"x"', "[" * 5000])
def test_parameters_that_are_no_json_object_are_refused(server, text):
    file = {"label": ("label.nii.gz", b"x")}
    image = {"image": "phantom_000", "label": "phantom_000", "tag": "final"}
    put, post = server.http.put, server.http.post
    refused(put("/datastore/label", params=image, data={"params": text}, files=file), "params")
    refused(post("/infer/spss", params=image, data={"params": text}), "params")
    refused(put("/datastore/image/info", params=image, data={"info": text}), "info")
    refused(put("/datastore/label/info", params=image, data={"info": text}), "info")


def test_requests_that_lack_something_are_no_server_errors(server):
    http = server.http
    refused(http.post("/infer/spss"), "Image", status=[422])
    refused(http.post("/infer/spss", params={"image": "phantom_000", "output": "dicom_seg"}))
    asked = {"image": "phantom_000", "check_sum": "CRC:1"}
    assert http.head("/datastore/image", params=asked).status_code == 422
    refused(http.put("/model/spss", files={"file": ("model.pt", b"x")}), status=[422])


@pytest.mark.parametrize("name", ["x" * 300 + ".nii.gz", "a\u202eb.nii.gz", "a." + "b" * 250])
def test_file_names_that_no_file_can_have_are_refused(server, name):
    answer = server.http.put("/datastore/image", files={"file": (name, b"x")})
    refused(answer)
    refused(server.http.put("/session/", files=[("files", (name, b"x"))]))


def test_a_session_of_several_files_has_no_single_image(server):
    files = [("files", (f"{i}.dcm", b"x")) for i in range(2)]
    session = server.http.put("/session/", files=files).json()["session_id"]
    refused(server.http.get(f"/session/{session}", params={"image": True}), status=[409])


def test_a_downloaded_data_set_leaves_no_archive_behind(server, tmp_path, monkeypatch):
    assert server.submit_array("phantom_000", server.truth("phantom_000"), tmp_path).is_success
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    answer = server.http.get("/datastore/dataset")
    assert zipfile.is_zipfile(io.BytesIO(answer.content))
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_full_disk_is_said_and_nothing_is_half_there(server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    from monailabel.endpoints import datastore

    monkeypatch.setattr(datastore.shutil, "copyfileobj", full)
    answer = server.http.put("/datastore/image", files={"file": ("new.nii.gz", b"x")})
    refused(answer, "full", status=[507])
    assert "new" not in server.app.datastore().list_images()


def test_a_logged_in_user_signs_with_the_own_name(monkeypatch):
    """The client may call itself anything: ``author`` goes into the ledger."""
    got = {}

    def save_label(image, params="{}", label=None):
        got.update(json.loads(params))

    wrapped = endpoint_answers._answering(save_label)
    wrapped("x", '{"author": "somebody else", "client_id": "1"}', io.BytesIO())
    assert got["author"] == "somebody else"
    token = WHO.set("ada")
    try:
        wrapped("x", '{"author": "somebody else", "client_id": "1"}')
        assert got == {"author": "ada", "user": "ada", "client_id": "1"}
        got.clear()
        wrapped("x")
        assert got == {"author": "ada", "user": "ada"}
    finally:
        WHO.reset(token)


def test_the_functions_that_are_wrapped_exist(server):
    import importlib

    for module_name, names in endpoint_answers.FUNCTIONS.items():
        module = importlib.import_module(f"monailabel.endpoints.{module_name}")
        for name in names:
            assert getattr(getattr(module, name), endpoint_answers._MARK)
