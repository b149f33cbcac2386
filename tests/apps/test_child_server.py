import sys
import time
from pathlib import Path

import pytest

from spss_apps.child_server import ChildServer, ServerDiedError, free_port

ANSWERS = """
import http.server, sys, os, subprocess
port = int(sys.argv[sys.argv.index("--port") + 1])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child.pid", "w").write(str(child.pid))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"name": "fake"}')
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
DIES = "print('torch is too old'); raise SystemExit(3)"


def start(tmp_path, monkeypatch, program, start_seconds=60.0):
    """A server process that runs ``program``."""
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    port = free_port()
    return ChildServer(
        "The fake",
        [sys.executable, str(script), "--port", str(port)],
        port=port,
        log=tmp_path / "server.log",
        ready="/info/",
        start_seconds=start_seconds,
    )


def is_running(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"


def assert_it_ends(pid):
    deadline = time.monotonic() + 20  # the signal was sent; a busy machine delivers it later
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_leaving_the_block_ends_the_server_and_its_children(tmp_path, monkeypatch):
    with start(tmp_path, monkeypatch, ANSWERS) as server:
        server.check()
        child = int((tmp_path / "child.pid").read_text(encoding="utf-8"))
        assert is_running(child)
    assert_it_ends(child)
    with pytest.raises(ServerDiedError):
        server.check()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_an_error_inside_the_block_ends_the_server_too(tmp_path, monkeypatch):
    def work():
        with start(tmp_path, monkeypatch, ANSWERS):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()
    assert_it_ends(int((tmp_path / "child.pid").read_text(encoding="utf-8")))


def test_a_server_that_dies_is_reported_with_its_last_lines(tmp_path, monkeypatch):
    with pytest.raises(ServerDiedError, match=r"exit status 3(?s:.)*torch is too old"):
        start(tmp_path, monkeypatch, DIES).start()


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path, monkeypatch):
    server = start(tmp_path, monkeypatch, "import time; time.sleep(600)", start_seconds=1.0)
    with pytest.raises(ServerDiedError, match="did not answer within 1 seconds"):
        server.start()
    assert not server.is_running


def test_it_can_be_stopped_at_once_and_started_again_on_its_port(tmp_path, monkeypatch):
    server = start(tmp_path, monkeypatch, ANSWERS)
    for _ in range(2):
        server.start()
        server.check()
        server.stop(at_once=True)
        assert not server.is_running
    server.stop()  # a second time does no harm


def test_a_server_that_answers_with_an_error_is_not_waited_for(tmp_path, monkeypatch):
    server = start(tmp_path, monkeypatch, ANSWERS.replace("send_response(200)", "send_error(500)"))
    with pytest.raises(ServerDiedError, match="with status 500"):
        server.start()
    assert not server.is_running
