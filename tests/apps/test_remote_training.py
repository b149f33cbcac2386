import pytest

from spss.errors import NotReadyError
from spss_apps import remote_training
from spss_apps.client import connect
from spss_apps.remote_training import train_remotely


class Client:
    """Plays back the states of a training task."""

    def __init__(self, states, **stats):
        self.states = list(states)
        self.stats = stats
        self.started = None

    def train_start(self, model, params):
        self.started = (model, params)

    def train_status(self):
        return {"status": self.states.pop(0), "details": ["no memory left"]}

    def info(self):
        return {"train_stats": {"spss": self.stats}}


class Alive:
    def check(self):
        pass


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(remote_training, "POLL_SECONDS", 0)
    connect("http://127.0.0.1:1", downloads=tmp_path)


def test_a_training_is_watched_from_submitted_to_done():
    shown = []
    client = Client(["SUBMITTED", "RUNNING", "DONE"], epoch=5, total_epochs=20, best_metric=0.5)
    stats = train_remotely(
        client, Alive(), {"minutes": 1}, on_progress=lambda *seen: shown.append(seen)
    )
    assert client.started == ("spss", {"minutes": 1})
    assert shown == [(0.25, "held-out Dice 0.500")] * 2 + [(1.0, "")]
    assert stats["epoch"] == 5


def test_before_the_first_report_the_progress_is_zero():
    shown = []
    train_remotely(Client(["RUNNING", "DONE"]), Alive(), {}, on_progress=lambda *s: shown.append(s))
    assert shown[0] == (0.0, "")


@pytest.mark.parametrize("status", ["ERROR", "STOPPED"])
def test_a_failed_training_tells_its_last_lines(status):
    with pytest.raises(NotReadyError, match=rf"status {status}(?s:.)*no memory left"):
        train_remotely(Client([status]), Alive(), {})
