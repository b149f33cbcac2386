import http.server
import json
import threading
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from spss.cli.main import main
from spss.volumes import Grid, write_label
from spss_apps import dashboard

OVERVIEW = {
    "classes": ["background", "front"],
    "images": [
        {"id": "../a", "name": "Ann <b>", "state": "untouched", "planes": [], "held_out": False},
        {
            "id": "b",
            "name": "Bob",
            "state": "planes",
            "planes": [{"axis": 2, "index": 5, "name": "axial"}],
            "held_out": True,
        },
        {"id": "c", "name": "Cy", "state": "dense", "planes": [], "held_out": False},
    ],
    "broken": {"d": "The image d is truncated."},
    "queue": [
        {
            "image": "../a",
            "name": "axial",
            "file": "a.nii.gz",
            "axis": 2,
            "index": 3,
            "reason": "axial plane 3: nothing is drawn in this volume",
        }
    ],
    "training": {
        "status": {"epoch": 3, "total_epochs": 50, "method": "spss", "messages": ["Device: cpu."]},
        "curve": [
            {"iteration": 1, "loss": 2.0},
            {"iteration": 2, "loss": 1.0, "validation_dice": 0.5},
        ],
    },
    "models": [
        {
            "version": "v1",
            "method": "spss",
            "trained_on": 9,
            "held_out": 3,
            "held_out_dice": 0.812,
            "in_use": True,
        }
    ],
}


class Server:
    """Answers like ours, to requests with the right token."""

    def __init__(self, image):
        self.status, self.overview, self.token = 200, OVERVIEW, ""
        self.asked = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = urlparse(self.path)
                fake.asked.append((path.path, parse_qs(path.query)))
                given = self.headers.get("Authorization", "")
                allowed = not fake.token or given == f"Bearer {fake.token}"
                self.send_response(fake.status if allowed else 401)
                body = json.dumps(fake.overview).encode()
                if path.path == "/datastore/image":
                    body = image
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def stop(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 90, (12, 10, 8)).astype(np.uint8)
    write_label(tmp_path / "image.nii.gz", voxels, like=Grid(voxels.shape, np.eye(4)))
    running = Server((tmp_path / "image.nii.gz").read_bytes())
    yield running
    running.stop()


@pytest.fixture
def write(server, tmp_path):
    """Runs the command; returns its exit status and the page."""

    def run(*options):
        out = tmp_path / "page" / "dashboard.html"
        status = main(["dashboard", "--server", server.url, "--out", str(out), *options])
        return status, out.read_text(encoding="utf-8") if out.exists() else ""

    return run


def test_the_page_shows_volumes_queue_training_and_networks(write):
    status, page = write()
    assert status == 0
    assert "nothing drawn" in page
    assert "1 plane, held out" in page
    assert "whole volume labelled" in page
    assert "axial 5" in page
    assert "axial plane 3: nothing is drawn in this volume" in page
    assert "3 of 50 rounds, running" in page
    assert page.count("0.812") == 2  # of the network in use, and in the list
    assert "The image d is truncated." in page
    assert page.count("data:image/png;base64,") == 2  # the suggested plane and the curve


def test_names_from_the_server_cannot_write_html(write):
    _, page = write()
    assert "<b>1. Ann &lt;b&gt;</b>" in page  # in the queue
    assert "<td>Ann &lt;b&gt;</td>" in page  # among the volumes
    assert "Ann <b>" not in page


def test_two_series_of_one_patient_are_told_apart(server, write):
    twin = {**OVERVIEW["images"][1], "id": "1.2.840.113.987654"}
    server.overview = {**OVERVIEW, "images": [*OVERVIEW["images"], twin]}
    _, page = write()
    assert "<td>Bob (series \u2026987654)</td>" in page
    assert "<td>Bob (series \u2026b)</td>" in page
    assert "<td>Cy</td>" in page


def test_the_page_has_no_script_and_loads_nothing(write):
    _, page = write()
    assert "<script" not in page
    assert "src='http" not in page
    assert "http-equiv='refresh'" not in page


def test_an_image_is_fetched_once_by_its_id_and_stays_in_the_folder(server, tmp_path):
    reader = dashboard.DashboardReader(server.url, images=tmp_path / "images")
    (tmp_path / "images").mkdir()
    for _ in range(2):
        assert reader.thumbnail(OVERVIEW["queue"][0]).startswith(b"\x89PNG")
    assert [query for path, query in server.asked if path == "/datastore/image"] == [
        {"image": ["../a"]}
    ]
    assert len(list((tmp_path / "images").iterdir())) == 1


def test_an_image_that_cannot_be_read_leaves_the_rest_of_the_page(server, write, monkeypatch):
    entry = {**OVERVIEW["queue"][0], "index": 500}
    server.overview = {**OVERVIEW, "queue": [{**entry, "file": "a.nrrd"}]}
    status, page = write()
    assert status == 0
    assert "The image cannot be read." in page


def test_a_token_is_sent_and_never_written(server, write, monkeypatch, tmp_path):
    server.token = "very-secret"
    monkeypatch.setenv("SPSS_TOKEN", "very-secret")
    status, page = write()
    assert status == 0
    assert "very-secret" not in page
    monkeypatch.delenv("SPSS_TOKEN")
    (tmp_path / "tokens").write_text("# token role name\nvery-secret user anna\n", encoding="utf-8")
    assert write("--token-file", str(tmp_path / "tokens"))[0] == 0


@pytest.mark.parametrize(
    ("token", "words"), [("", "wants a token"), ("wrong", "does not take this token")]
)
def test_without_the_right_token_it_says_how_to_give_one(
    server, write, monkeypatch, capsys, token, words
):
    server.token = "very-secret"
    monkeypatch.setenv("SPSS_TOKEN", token)
    assert write() == (2, "")
    said = capsys.readouterr().err
    assert words in said
    assert "--token-file" in said


def test_another_server_is_named_as_such(server, write, capsys):
    server.overview = {"name": "something else"}
    assert write()[0] == 2
    assert "has no overview" in capsys.readouterr().err
    server.status = 404
    assert write()[0] == 2
    assert "has no overview" in capsys.readouterr().err


def test_a_server_that_is_away_is_said_to_be_away(capsys, tmp_path):
    out = tmp_path / "page.html"
    status = main(["dashboard", "--server", "http://127.0.0.1:9", "--out", str(out)])
    assert status == 2
    assert "does not answer" in capsys.readouterr().err
    assert not out.exists()


def test_a_page_that_is_written_again_and_again_survives_a_server_that_goes_away(
    server, write, monkeypatch, capsys
):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        server.status = {1: 500, 2: 200}.get(len(pauses), 200)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(dashboard.time, "sleep", sleep)
    status, page = write("--every", "30")
    assert status == 130
    assert pauses == [30, 30, 30]
    assert "http-equiv='refresh' content='30'" in page
    assert "HTTP 500" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--every", "1"), "at least 5 seconds"),
        (("--token-file", "/nowhere/tokens"), "cannot be read"),
        (("--server", "localhost:8000"), "must begin with http"),
    ],
)
def test_options_that_cannot_work_are_refused_in_one_line(write, capsys, options, words):
    assert write(*options) == (2, "")
    assert words in capsys.readouterr().err
