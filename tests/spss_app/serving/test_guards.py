"""What the wall of `spss serve` lets pass: every test is one way around it."""

import base64
from urllib.parse import unquote

import anyio
import pytest
from starlette.websockets import WebSocketDisconnect

from spss.errors import InputError
from spss_app.serving.answers import Refusals
from spss_app.serving.body_limit import LARGEST_JSON_BYTES, BodyLimit
from spss_app.serving.clean_path import CleanPath, is_clean
from spss_app.serving.healthz import judge_folder
from spss_app.serving.origins import check_origin


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    assert all(word in answer.json()["detail"] for word in words), answer.text


# ---------------------------------------------------------------- login


@pytest.mark.parametrize(
    "path", ["/", "/info/", "/docs", "/openapi.json", "/static/x", "/ohif/", "/reload", "/logs/"]
)
def test_nothing_is_answered_without_a_token(guarded, path):
    answer = guarded().get(path)
    refused(answer, 401, "token")
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "value",
    ["Bearer x", "Bearer", "bearer ", "Basic !", "Basic eDp4", "Digest x", "token-of-a-user"],
)
def test_a_wrong_token_is_refused(guarded, value):
    refused(guarded().get("/info/", headers={"Authorization": value}), 401)


def test_browsers_send_the_token_as_a_password(guarded):
    basic = base64.b64encode(b"anybody:token-of-a-user").decode()
    answer = guarded().get("/info/", headers={"Authorization": f"Basic {basic}"})
    assert answer.json()["authorization"] == "Bearer token-of-a-user"


def test_slicer_gets_the_token_through_monai_labels_own_login(guarded):
    client = guarded()
    assert client.get("/auth/").status_code == 200
    form = {"username": "ada", "password": "token-of-an-annotator", "grant_type": "password"}
    said = client.post("/auth/token", data=form).json()
    assert said == {"access_token": "token-of-an-annotator", "token_type": "bearer"}
    refused(client.post("/auth/token", data={**form, "password": "x"}), 401)
    refused(client.post("/auth/token", data={"username": "ada"}), 422)
    refused(client.post("/auth/token", data={str(i): "" for i in range(50)}), 422)
    multipart = {"Content-Type": "multipart/form-data"}
    refused(client.post("/auth/token", content=b"x", headers=multipart), 422)
    refused(client.get("/auth/token"), 405)


def test_web_sockets_do_not_pass_by_the_login(guarded):
    with pytest.raises(WebSocketDisconnect), guarded().websocket_connect("/info/"):
        pytest.fail("was accepted")


def test_health_is_answered_without_a_token_and_names_nothing(guarded):
    assert set(guarded().get("/healthz").json()) == {"status", "problems"}


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/reload"),
        ("GET", "/logs/"),
        ("GET", "/logs/gpu"),
        ("PUT", "/model/spss"),
        ("DELETE", "/model/spss"),
    ],
)
def test_what_is_the_admins_is_refused_to_others(guarded, as_user, method, path):
    for role in ("user", "annotator"):
        refused(guarded().request(method, path, headers=as_user(role)), 403, "admin")
    assert guarded().request(method, path, headers=as_user("admin")).status_code in (200, 404)


def test_reload_needs_a_login_even_where_nothing_else_does(guarded, monkeypatch):
    from monailabel.config import settings

    monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_ENABLE", False)
    client = guarded(login=False)
    assert client.get("/info/").status_code == 200
    refused(client.post("/reload"), 403, "restart")


@pytest.mark.parametrize("lines", ["300", "0", "-5", "x", "9" * 5000])
def test_the_log_is_text_of_bounded_length_without_foreign_scripts(guarded, as_user, lines):
    asked = {"lines": lines, "html": "true"}
    said = guarded().get("/logs/", params=asked, headers=as_user("admin")).json()
    assert said["query"].endswith("&html=false&text=true")
    assert 0 < int(said["query"].partition("&")[0].removeprefix("lines=")) <= 10_000


def test_pages_with_foreign_scripts_are_replaced(guarded, as_user):
    page = guarded().get("/", headers=as_user("user"))
    assert page.headers["content-type"].startswith("text/plain")
    refused(guarded().get("/docs", headers=as_user("user")), 404)


@pytest.mark.parametrize("path", ["/train/spss", "/batch/infer/spss", "/scoring/self_paced"])
def test_nobody_can_keep_the_server_to_himself(guarded, as_user, path):
    client, admin = guarded(), as_user("admin")
    refused(client.post(path, params={"run_sync": "true"}, headers=admin), 422, "run_sync")
    assert client.post(path, params={"run_sync": "false"}, headers=admin).status_code == 200


# ---------------------------------------------------------------- paths, origins, names


@pytest.mark.parametrize(
    "path",
    [
        "/../x",
        "/ohif/../../x",
        "/ohif/%2e%2e/x",
        "/ohif/%2E%2e%2Fx",
        "/ohif/..%5c..%5cx",
        "/ohif/a%00b",
        "/proxy/dicom/%252e%252e/x",
        "//x",
        "/static//x",
        "/" + "x" * 3000,
    ],
)
def test_paths_that_lead_elsewhere_are_refused(echo, path):
    """By hand: a client's library would tidy the path up before it is sent."""
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    scope |= {"path": unquote(path), "raw_path": path.encode()}
    sent = []

    async def send(message):
        sent.append(message)

    anyio.run(Refusals(CleanPath(echo)), scope, None, send)
    assert sent[0]["status"] == 400


def test_ordinary_paths_pass():
    assert all(map(is_clean, ("/", "/info/", "/ohif/a.b-c/d..e.js", "/session/größe")))
    assert not any(map(is_clean, ("/a/./b", "/a/..", "/a\\b", "/a\nb")))


def test_foreign_web_pages_may_not_call(guarded, as_user):
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1"):
        headers = {**as_user("admin"), "Origin": origin}
        refused(guarded().post("/info/", headers=headers), 403, "--origin")


def test_the_servers_own_pages_may_call(guarded, as_user):
    headers = {**as_user("admin"), "Origin": "http://127.0.0.1:8000"}
    answer = guarded().get("/info/", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["origin"] is None  # MONAI Label would allow any that it sees
    assert "access-control-allow-origin" not in answer.headers


def test_pages_of_named_origins_may_call(guarded, as_user):
    client = guarded(origins=["https://viewer.example"])
    named = {"Origin": "https://viewer.example"}
    answer = client.get("/info/", headers={**as_user("user"), **named})
    assert answer.headers["access-control-allow-origin"] == "https://viewer.example"
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.options("/datastore/label", headers={**named, **asked})
    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["access-control-allow-methods"]


@pytest.mark.parametrize("origin", ["viewer", "ftp://x", "https://x/path", "*", ""])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(InputError, match="origin"):
        check_origin(origin)


def test_an_origin_is_compared_without_slash_and_case():
    assert check_origin("https://Viewer.example/") == "https://viewer.example"


def test_a_foreign_name_that_points_here_is_refused(guarded, as_user):
    client = guarded(hosts=["127.0.0.1"], origins=["https://viewer.example"])
    for host in ("evil.example:8000", "evil.example", "[", ""):
        headers = {**as_user("admin"), "Host": host}
        refused(client.get("/info/", headers=headers), 421)
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "viewer.example"):
        headers = {**as_user("admin"), "Host": host}
        assert client.get("/info/", headers=headers).status_code == 200


# ---------------------------------------------------------------- sizes


def test_an_upload_that_is_announced_too_large_is_not_read(guarded, as_user):
    client = guarded(upload_gb=1e-5)  # about 10 kB
    file = {"file": ("x.nii.gz", b"x" * 20_000)}
    answer = client.put("/datastore/image", files=file, headers=as_user("admin"))
    refused(answer, 413, "larger than")
    assert client.put("/x", files={"file": ("x", b"x" * 99)}, headers=as_user("user")).is_success


def test_an_upload_that_hides_its_length_is_cut_off(guarded, as_user):
    def endless():
        for _ in range(100):
            yield b"x" * 1000

    headers = {**as_user("admin"), "Content-Type": "multipart/form-data; boundary=b"}
    answer = guarded(upload_gb=1e-5).put("/datastore/image", content=endless(), headers=headers)
    refused(answer, 413)


def test_parameters_have_a_limit_of_their_own(guarded, as_user):
    body = b" " * (LARGEST_JSON_BYTES + 1)
    refused(guarded().post("/train/spss", content=body, headers=as_user("admin")), 413)
    refused(
        guarded().post("/x", content=b"", headers={**as_user("admin"), "Content-Length": "-1"}), 413
    )


def test_a_client_that_falls_silent_loses_its_place(echo):
    sent = []

    async def receive():
        await anyio.sleep(5)

    async def send(message):
        sent.append(message)

    guards = Refusals(BodyLimit(echo, upload_bytes=100, silence_seconds=0.05))
    scope = {"type": "http", "method": "PUT", "path": "/x", "headers": [], "query_string": b""}
    anyio.run(guards, scope, receive, send)
    assert sent[0]["status"] == 408


# ---------------------------------------------------------------- health


def test_a_full_or_read_only_workspace_is_unwell(tmp_path, monkeypatch):
    from spss_app.serving import healthz

    assert judge_folder(tmp_path) == []
    monkeypatch.setattr(healthz.os, "access", lambda *_: False)
    assert "cannot be written" in judge_folder(tmp_path)[0]
    monkeypatch.undo()
    monkeypatch.setattr(healthz, "LEAST_FREE_MB", 10**12)
    assert "free" in judge_folder(tmp_path)[0]
