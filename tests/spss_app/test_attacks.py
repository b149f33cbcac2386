"""What an attacker would send to this app, beyond what other tests send; each is refused."""

import pickle

import pytest
import torch
from monailabel.interfaces import app as framework
from monailabel.utils.async_tasks import task as async_task

from spss.annotation import Plane
from spss.errors import InputError
from spss.training.model_file import MODEL, load_model

HOSTILE = {
    "bundle_path": "/tmp",
    "train_ds": "/etc/hostname",
    "val_ds": "/etc/hostname",
    "name": "../../x",
    "model_filename": "../../x",
    "dataset": "x",
    "gpus": "0;x",
    "local_rank": 7,
    "PYTHONPATH": "/tmp",
    "app": "/tmp",
}


@pytest.fixture
def started(server, monkeypatch):
    """Requests that reached a background process, which is not started."""
    assert server.app
    reached = []

    def note(request, method, *_, **__):
        reached.append(request)
        return {"id": "x", "status": "SUBMITTED"}

    monkeypatch.setattr(async_task, "run_background_task", note)
    return reached


def test_no_unknown_key_reaches_a_background_process(server, started):
    for path in ("/train/spss", "/scoring/self_paced", "/batch/infer/spss"):
        assert server.http.post(path, json=HOSTILE).status_code == 200
    assert len(started) == 3
    for request in started:
        assert not HOSTILE.keys() & request.keys()


def test_no_bundle_becomes_a_python_path(server):
    assert [server.app.bundle_path(name) for name in ("spss", "../x", None)] == [None] * 3


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_model_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    mark = tmp_path / "mark"
    for write in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))):
        write({"config": "{}", "weights": Payload(mark)}, tmp_path / MODEL)
        with pytest.raises(InputError, match="cannot be read"):
            load_model(tmp_path, torch.device("cpu"))
        assert not mark.exists()


def test_no_model_can_be_uploaded(server, tmp_path):
    before = sorted(server.app.project.models.root.rglob("*"))
    for model in ("spss", "propagate", "../x", "nonsense"):
        answer = server.http.put(f"/model/{model}", files={"file": ("model.pt", b"x")})
        assert answer.status_code in (404, 405, 422), answer.text
    assert sorted(server.app.project.models.root.rglob("*")) == before


def test_nothing_is_downloaded_and_no_callback_needs_a_token(
    serve, studies, tmp_path, only_plane, monkeypatch
):
    def called(*_, **__):
        pytest.fail("the app went to the network")

    for name in ("download_and_extract", "requests"):
        monkeypatch.setattr(framework, name, called, raising=True)
    monkeypatch.setattr(framework.shutil, "which", lambda *_: None)
    monkeypatch.setattr(framework.MONAILabelApp, "_local_request", called)
    server = serve(studies)
    assert server.next().status_code == 200
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    assert server.submit_array("phantom_000", label, tmp_path).is_success
    server.app._download_dcmqi_tools()
