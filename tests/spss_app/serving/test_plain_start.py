"""`monailabel start_server --app`, unchanged: what it closes, and what it says of the rest."""

import socket

import pytest
import requests

from spss.datasets.phantoms import make_phantoms
from spss_app.cli_app import make_app_folder
from spss_apps.server import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    make_phantoms(root / "studies", 2, shape=(12, 12, 10))
    app = make_app_folder(root / "app")
    with ServerProcess(app, root / "studies", log=root / "log") as running:
        running.printed = root / "log"
        yield running


def ask(server, method, path, **more):
    return requests.request(method, server.url + path, timeout=60, **more)


def test_three_lines_say_what_is_open_and_how_to_close_it(server):
    lines = server.printed.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("OPEN: "))
    assert f"127.0.0.1:{server.port}" in lines[first]
    assert "no login" in lines[first]
    assert "change all labels" in lines[first + 1]
    assert "spss serve" in lines[first + 2]


def test_viewers_are_answered_as_ever(server):
    assert ask(server, "GET", "/info/").json()["name"] == "SPSS"
    assert ask(server, "POST", "/activelearning/first", json={}).json()["id"]
    assert ask(server, "GET", "/ohif/").ok
    assert ask(server, "GET", "/").ok
    own = {"Origin": server.url}
    assert ask(server, "POST", "/activelearning/first", json={}, headers=own).ok
    assert ask(server, "GET", "/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/reload", {}, 403),
        ("GET", "/info/", {"Origin": "https://evil.example"}, 403),
        ("GET", "/proxy/dicom/tools", {}, 403),
        ("GET", "/proxy/dicom/%2e%2e/tools", {}, 400),
        ("GET", "/ohif/%2e%2e%5cx", {}, 400),
        ("POST", "/train/spss?run_sync=true", {}, 422),
        ("POST", "/infer/wsi_v2/spss", {}, 422),
    ],
)
def test_what_no_viewer_needs_is_refused(server, method, path, headers, status):
    answer = ask(server, method, path, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_the_log_is_plain_text(server):
    assert ask(server, "GET", "/logs/").headers["content-type"].startswith("text/plain")


def test_an_upload_larger_than_the_limit_is_not_read(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stream:
        lines = f"Content-Length: {3 * 1024**3}\r\nContent-Type: multipart/form-data\r\n"
        stream.sendall(f"PUT /datastore/image HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        assert stream.recv(100).startswith(b"HTTP/1.1 413")
