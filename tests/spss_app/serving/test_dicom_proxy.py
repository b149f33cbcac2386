"""The way to the DICOM server: a small one that writes down what it is asked."""

import http.server
import threading
from typing import ClassVar

import pytest
import requests
from monailabel.config import settings

from spss_app.serving import dicom_proxy
from spss_app.serving.answers import RefusedError
from spss_app.serving.dicom_proxy import upstream_path


class Upstream(http.server.BaseHTTPRequestHandler):
    """A DICOMweb server, as far as the proxy sees it."""

    asked: ClassVar[list] = []

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        Upstream.asked.append((self.command, self.path, headers, body))
        if self.path.endswith("/slow"):
            threading.Event().wait(1.5)
        self.send_response(302 if self.path.endswith("/elsewhere") else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Set-Cookie", "secret=1")
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"[1,2,3]")

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def upstream(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Upstream.asked = []
    address = f"http://127.0.0.1:{server.server_port}/dicom-web/"
    monkeypatch.setattr(settings, "MONAI_LABEL_STUDIES", address)
    monkeypatch.setattr(settings, "MONAI_LABEL_DICOMWEB_USERNAME", "server")
    monkeypatch.setattr(settings, "MONAI_LABEL_DICOMWEB_PASSWORD", "password")
    yield server
    server.shutdown()
    server.server_close()


def test_images_are_asked_for_with_the_servers_password_and_the_query(upstream, guarded, as_user):
    headers = {**as_user("user"), "Accept": "application/dicom+json", "Cookie": "c", "X-Y": "z"}
    answer = guarded().get("/proxy/dicom/qido/studies?limit=2&PatientID=1", headers=headers)
    assert answer.json() == [1, 2, 3]
    assert answer.headers["content-type"] == "application/dicom+json"
    assert "set-cookie" not in answer.headers
    method, path, sent, _ = Upstream.asked[0]
    assert (method, path) == ("GET", "/dicom-web/studies?limit=2&PatientID=1")
    assert sent["authorization"].startswith("Basic")
    assert sent["accept"] == "application/dicom+json"
    assert not {"cookie", "x-y"} & sent.keys()


def test_images_are_stored_by_annotators(upstream, guarded, as_user):
    kind = {"Content-Type": "multipart/related; boundary=x"}
    client = guarded()
    refused = client.post("/proxy/dicom/studies", content=b"x", headers={**as_user("user"), **kind})
    assert refused.status_code == 403
    headers = {**as_user("annotator"), **kind}
    assert client.post("/proxy/dicom/studies", content=b"part", headers=headers).is_success
    method, path, sent, body = Upstream.asked[0]
    assert (method, path, body) == ("POST", "/dicom-web/studies", b"part")
    assert sent["content-type"] == kind["Content-Type"]


@pytest.mark.parametrize(
    "path",
    [
        "/proxy/dicom/../tools/reset",
        "/proxy/dicom/studies/../../tools",
        "/proxy/dicom/studies/..",
        "/proxy/dicom/tools/reset",
        "/proxy/dicom/qido/patients",
        "/proxy/dicom/series",
        "/proxy/dicom/studiesx",
        "/proxy/dicom/",
        "/proxy/dicom/studies/1?x",
        "/proxy/dicom/studies/1#x",
        "/proxy/dicom/studies/1@evil.example",
        "/proxy/dicom/studies/1 2",
        "/proxy/dicom/studies\\x",
        "/proxy/other/studies",
    ],
)
def test_nothing_beside_studies_can_be_reached(path):
    with pytest.raises(RefusedError):
        upstream_path(path, "GET")


def test_storing_and_deleting_elsewhere_is_refused(upstream, guarded, as_user):
    for method in ("PUT", "DELETE"):
        answer = guarded().request(method, "/proxy/dicom/studies/1", headers=as_user("admin"))
        assert answer.status_code == 405
    answer = guarded().post("/proxy/dicom/studies/1/series/2", headers=as_user("admin"))
    assert answer.status_code == 403
    assert Upstream.asked == []


def test_prefixes_of_the_settings_are_kept(monkeypatch):
    monkeypatch.setattr(settings, "MONAI_LABEL_WADO_PREFIX", "wado")
    assert upstream_path("/proxy/dicom/wado/studies/1", "GET") == "wado/studies/1"
    assert upstream_path("/proxy/dicom/qido/studies/1/metadata", "GET") == "wado/studies/1/metadata"
    assert upstream_path("/proxy/dicom/studies/1/series", "GET") == "studies/1/series"


def test_a_silent_or_missing_server_is_told_within_bounds(upstream, guarded, as_user, monkeypatch):
    monkeypatch.setattr(dicom_proxy, "SILENCE_SECONDS", 0.2)
    slow = guarded().get("/proxy/dicom/studies/slow", headers=as_user("user"))
    assert slow.status_code == 504
    monkeypatch.setattr(settings, "MONAI_LABEL_STUDIES", "http://127.0.0.1:1/dicom-web")
    assert guarded().get("/proxy/dicom/studies", headers=as_user("user")).status_code == 502


def test_a_server_that_sends_elsewhere_is_not_followed(upstream, guarded, as_user):
    answer = guarded().get("/proxy/dicom/studies/elsewhere", headers=as_user("user"))
    assert answer.status_code == 502
    assert len(Upstream.asked) == 1


def test_a_folder_of_images_has_no_dicom_server(guarded, as_user, monkeypatch):
    monkeypatch.setattr(settings, "MONAI_LABEL_STUDIES", "/data")
    monkeypatch.setattr(requests, "request", lambda *_, **__: pytest.fail("asked"))
    assert guarded().get("/proxy/dicom/studies", headers=as_user("user")).status_code == 404
