"""The real `spss serve`, as MONAI Label's own client and as an attacker meet it."""

import gc
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from monailabel.client import MONAILabelClient

from spss.annotation import Plane
from spss.datasets.phantoms import make_phantoms
from spss.volumes import read_image, read_label, write_label
from spss_apps.server import ServerProcess

pytestmark = [
    pytest.mark.slow,
    # MONAI Label's client never closes its connections
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(?s).*unclosed:pytest.PytestUnraisableExceptionWarning"),
]
ANNOTATOR = "an-annotators-token"
IMAGE = "phantom_000"
PATIENT = "Mustermann_Erika"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def server(root):
    """`spss serve` with an admin's and an annotator's token."""
    make_phantoms(root / "studies", 3, shape=(16, 18, 14))
    file = root / "studies" / "imagesTr" / "phantom_002.nii.gz"
    file.rename(file.with_name(f"{PATIENT}.nii.gz"))
    tokens = root / "tokens"
    tokens.touch(0o600)
    tokens.write_text(
        f"an-admins-own-token admin root\n{ANNOTATOR} annotator ada\n", encoding="utf-8"
    )
    (root / "app").mkdir()
    conf = {"labels": "front,back"}
    with ServerProcess(
        root / "app", root / "studies", log=root / "log", conf=conf, token_file=tokens
    ) as running:
        yield running
    gc.collect()  # what the client left open is reported here, not in another test


@pytest.fixture
def client(server, tmp_path):
    """Makes MONAI Label's client and logs in, as Slicer's module does for every call.

    (A client that sent a file once sends that file's length with all that follows.)
    """
    token = MONAILabelClient(server.url).auth_token("ada", ANNOTATOR)

    def make():
        client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="slicer")
        client.update_auth(token)
        return client

    assert make().auth_enabled()
    assert make().auth_valid_token()
    return make


def drawn_plane(root, folder, plane=7):
    truth = read_label(root / "studies" / "labelsTr" / f"{IMAGE}.nii.gz")
    label = np.zeros_like(truth)
    label[Plane(2, plane).slices] = truth[Plane(2, plane).slices]
    file = folder / "label.nii.gz"
    write_label(file, label, like=read_image(root / "studies" / "imagesTr" / f"{IMAGE}.nii.gz"))
    return file


def test_the_loop_works_with_monai_labels_client(client, root, tmp_path):
    assert client().info()["labels"] == ["front", "back"]
    sample = client().next_sample("self_paced", {})
    assert sample["suggestion"]["index"] >= 0
    said = client().save_label(IMAGE, str(drawn_plane(root, tmp_path)), params={"author": "x"})
    assert said["understood"].startswith("1 axial plane, 7")
    file, _ = client().infer("propagate", IMAGE, {})
    assert read_label(Path(file)).any()
    file, _ = client().infer("spss", IMAGE, {})
    assert read_label(Path(file)).any()
    image = root / "studies" / "imagesTr" / f"{IMAGE}.nii.gz"
    session = client().create_session(str(image))["session_id"]
    assert client().get_session(session)
    client().remove_session(session)
    assert set(client().datastore()["objects"]) == {"phantom_000", "phantom_001", PATIENT}


def test_the_ledger_names_who_was_logged_in(client, root, tmp_path):
    client().save_label(IMAGE, str(drawn_plane(root, tmp_path, 5)), params={"author": "somebody"})
    text = "".join(
        p.read_text(encoding="utf-8")
        for p in (root / "studies" / "spss" / "ledger").rglob("*.json")
    )
    assert '"ada"' in text
    assert "somebody" not in text


def test_whoever_has_no_token_gets_nothing(server):
    for path in ("/info/", "/", "/openapi.json", "/ohif/", "/datastore/?output=all", "/logs/"):
        assert requests.get(server.url + path, timeout=30).status_code == 401
    assert requests.post(f"{server.url}/reload", timeout=30).status_code == 401
    assert requests.get(f"{server.url}/healthz", timeout=30).json()["status"] == "ok"


def test_an_annotator_can_neither_train_nor_delete_nor_reload_nor_read_the_log(server):
    headers = {"Authorization": f"Bearer {ANNOTATOR}"}
    for method, path in (
        ("POST", "/train/spss"),
        ("DELETE", f"/datastore/?id={IMAGE}"),
        ("DELETE", "/model/spss"),
        ("PUT", "/model/spss"),
        ("POST", "/reload"),
        ("GET", "/logs/"),
    ):
        answer = requests.request(
            method, server.url + path, headers=headers, timeout=30, files={"file": b"x"}
        )
        assert answer.status_code == 403, path


def test_only_this_machine_can_connect(server):
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    others = {address for address in others if not address.startswith(("127.", "::1"))}
    if not others:
        pytest.skip("this machine has no address beside loopback")
    for address in others:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, server.port), timeout=5)


def test_foreign_pages_names_and_paths_are_refused(server):
    get = {"headers": server.headers, "timeout": 30}
    assert requests.get(f"{server.url}/info/", **get).status_code == 200
    evil = {**server.headers, "Origin": "https://evil.example"}
    assert requests.get(f"{server.url}/info/", headers=evil, timeout=30).status_code == 403
    name = {**server.headers, "Host": "evil.example"}
    assert requests.get(f"{server.url}/info/", headers=name, timeout=30).status_code == 421
    assert requests.get(f"{server.url}/proxy/dicom/%2e%2e/tools", **get).status_code == 400
    assert requests.get(f"{server.url}/proxy/dicom/tools", **get).status_code == 403
    huge = {**server.headers, "Content-Length": str(10**12), "Content-Type": "multipart/form-data"}
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stream:
        lines = "".join(f"{name}: {value}\r\n" for name, value in huge.items())
        request = f"PUT /datastore/image HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
        stream.sendall(request.encode())
        assert stream.recv(100).startswith(b"HTTP/1.1 413")


def test_the_admin_reads_a_log_without_patients_paths_or_tokens(server, client, root, tmp_path):
    client().infer("spss", PATIENT, {})
    requests.post(
        f"{server.url}/infer/spss",
        params={"image": f"{PATIENT}2"},
        headers=server.headers,
        timeout=30,
    )
    log = requests.get(f"{server.url}/logs/?lines=9999", headers=server.headers, timeout=30).text
    assert "Next sample chosen in" in log
    said = (root / "log").read_text(encoding="utf-8", errors="replace")
    for secret in (PATIENT, "an-admins-own-token", ANNOTATOR, "an-admins", str(root / "studies")):
        assert secret not in log
        assert secret not in said


def test_after_a_reload_the_server_is_whole(server):
    assert requests.post(f"{server.url}/reload", headers=server.headers, timeout=30).ok
    answer = requests.get(f"{server.url}/info/", headers=server.headers, timeout=60)
    assert answer.json()["labels"] == ["front", "back"]
    assert requests.get(f"{server.url}/healthz", timeout=30).status_code == 200


def test_temporary_files_lie_where_nobody_else_can_enter(server):
    import tempfile

    pid = server._process.pid
    folders = [p for p in Path(tempfile.gettempdir()).glob(f"spss-{pid}-*") if p.is_dir()]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700]


@pytest.mark.parametrize("program", ["spss serve", "monailabel start_server"])
def test_a_second_server_on_the_folder_is_refused_with_the_firsts_pid(server, root, program):
    studies = ["--studies", str(root / "studies"), "--port", "1", "--app", str(root / "app")]
    start = "import sys; from spss.cli.main import main; sys.exit(main())"
    command = {
        "spss serve": [sys.executable, "-c", start, "serve"],
        "monailabel start_server": [sys.executable, "-m", "monailabel.main", "start_server"],
    }[program]
    outcome = subprocess.run(
        [*command, *studies], capture_output=True, text=True, timeout=200, check=False
    )
    assert outcome.returncode not in (0, -signal.SIGKILL)
    said = outcome.stderr + outcome.stdout
    assert re.search(rf"A server already runs on .*process {server._process.pid}\)", said)


def test_other_users_cannot_read_the_studies_through_a_wide_token_file(root):
    (root / "wide").write_text("a-token-of-some-length", encoding="utf-8")
    os.chmod(root / "wide", 0o644)
    (root / "other").mkdir(exist_ok=True)
    from spss.cli.main import main

    options = ["--studies", str(root / "other"), "--app", str(root / "app")]
    assert main(["serve", *options, "--token-file", str(root / "wide")]) == 2
