"""Two servers on one folder by mistake."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from spss.errors import InputError
from spss_app.serving import one_server
from spss_app.serving.one_server import HOLDER_NAME, release_folder, take_folder

HOLD = """
import sys, time
from pathlib import Path
from spss_app.serving.one_server import take_folder
take_folder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "studies" / "spss"
    yield folder
    release_folder(folder)


@pytest.fixture
def holder(own):
    """Another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(own)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_server_is_refused_with_the_firsts_pid(own, holder):
    with pytest.raises(InputError, match=f"process {holder.pid}") as refused:
        take_folder(own)
    assert str(own.parent) in str(refused.value)


def test_the_lock_of_a_killed_server_is_free_at_once(own, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    take_folder(own)
    assert json.loads((own / HOLDER_NAME).read_bytes())["pid"] == os.getpid()


@pytest.mark.parametrize("now", [0.0, 4e9])
def test_no_clock_makes_a_living_server_look_stale(own, holder, monkeypatch, now):
    monkeypatch.setattr(time, "time", lambda: now)
    os.utime(own / "server.lock", (now, now))
    with pytest.raises(InputError, match=f"process {holder.pid}"):
        take_folder(own)


def test_a_process_takes_its_own_folder_again(own):
    take_folder(own)
    take_folder(own)


def test_a_folder_that_was_let_go_can_be_taken(own):
    take_folder(own)
    release_folder(own)
    code = HOLD.replace("time.sleep(600)", "")
    subprocess.run([sys.executable, "-c", code, str(own)], check=True, stdout=subprocess.DEVNULL)


def test_a_lost_record_of_the_holder_still_refuses(own, holder):
    (own / HOLDER_NAME).write_text("{torn", encoding="utf-8")
    with pytest.raises(InputError, match="another process"):
        take_folder(own)


def test_workers_of_one_server_share_its_folder(own, holder, monkeypatch):
    monkeypatch.setattr(one_server.multiprocessing, "parent_process", lambda: object())
    with pytest.raises(InputError):
        take_folder(own)
    (own / HOLDER_NAME).write_text(json.dumps({"pid": os.getppid()}), encoding="utf-8")
    take_folder(own)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--conf workspace"):
        take_folder(tmp_path / "file" / "spss")
