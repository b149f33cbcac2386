"""The clock is set back: nobody waits for the future, and the newest decision stays the newest."""

import time
from datetime import datetime, timedelta

import numpy as np
import pytest

from spss.annotation import Plane, ledger
from spss_app import models
from spss_app.models import ModelFolder
from spss_app.served import Served

DAY = timedelta(days=1)


class Yesterday(datetime):
    """A clock that is a day late."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - DAY


@pytest.fixture
def set_back(monkeypatch):
    """Sets the clock back by a day."""

    def turn():
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() - DAY.total_seconds())
        monkeypatch.setattr(models, "datetime", Yesterday)
        for module in [m for m in (ledger,) if hasattr(m, "datetime")]:
            monkeypatch.setattr(module, "datetime", Yesterday)

    return turn


def test_a_lease_from_the_future_keeps_nobody_waiting(tmp_path, set_back):
    served = Served(tmp_path, lease_minutes=30)
    served.remember("a", "ada", Plane(2, 3))
    assert served.leased_to_others(["a"], "bob") == {"a"}
    set_back()
    assert served.leased_to_others(["a"], "bob") == set()
    served.remember("b", "ada", Plane(2, 3))
    assert served.leased_to_others(["b"], "bob") == {"b"}


def test_what_was_submitted_last_holds(server, tmp_path, set_back):
    truth = server.truth("phantom_000")
    plane = Plane(2, 6)
    wrong = np.zeros_like(truth)
    wrong[plane.slices] = 1
    right = np.zeros_like(truth)
    right[plane.slices] = 2
    assert server.submit_array("phantom_000", wrong, tmp_path).is_success
    set_back()
    assert server.submit_array("phantom_000", right, tmp_path).is_success
    sparse = server.ledger.sparse_label("phantom_000", server.app.project.classes.names)
    assert (sparse.classes[plane.slices] == 2).all()
    assert server.next().status_code == 200


def test_the_network_published_last_answers_and_stays(tmp_path, set_back):
    folder = ModelFolder(tmp_path)

    def publish():
        folder.training.mkdir(parents=True)
        (folder.training / "model.pt").touch()
        model = folder.keep_version({})
        folder.publish(model)
        return model.version

    for _ in range(4):
        publish()
    set_back()
    newest = publish()
    assert folder.published().version == newest


def test_an_upload_of_the_future_does_not_stop_the_cleaning(server, set_back):
    sessions = server.app.sessions()
    session = server.http.put("/session/", files=[("files", ("a.nii.gz", b"x"))]).json()
    set_back()
    assert sessions.remove_expired() == 0
    assert sessions.get_session(session["session_id"], update_ts=False) is not None
