"""A server to be fuzzed, in a folder of its own, that tells which files it opens for writing."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import requests

from spss.annotation import Plane
from spss.datasets.phantoms import make_phantoms
from spss.volumes import read_image, read_label, write_label
from spss_app.cli_app import make_app_folder
from spss_apps.child_server import ChildServer, free_port

MODES = ("served", "plain")

WATCH = '''
"""Writes down every file that this process opens for writing, makes, renames or removes."""
import os, sys

_log = os.open(os.environ["SPSS_FUZZ_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_CHANGES = {"os.rename": 1, "os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.link": 1,
            "os.symlink": 1, "os.chmod": 0, "os.truncate": 0, "shutil.rmtree": 0}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

def _watch(event, args):
    if event == "open":
        path, mode, flags = args
        if not (isinstance(flags, int) and flags & _WRITES):
            return
    elif event in _CHANGES:
        path = args[_CHANGES[event]]
    else:
        return
    if isinstance(path, (str, bytes)):
        text = os.fsdecode(path)
        if event != "os.rmdir" and event != "os.remove" or os.path.isabs(text):
            os.write(_log, os.fsencode(os.path.abspath(text)).replace(b"\\n", b"?") + b"\\n")

sys.addaudithook(_watch)
'''
_STATUS = re.compile(r'HTTP/1\.[01]" (\d{3})')
_OWN_FOLDERS = (
    *("studies/imagesTr", "studies/labels", "studies/spss", "home", "tmp"),
    *("app/bin", "app/logs", "app/model"),
)
"""Not ``app/lib``: what lies there is run by the next training."""

_INDEX_FILE = re.compile(r"\.?datastore_v2\.json.*|\.lock")
_START_SECONDS = 900.0
"""The fuzzed server may have to start at the lowest priority of a busy machine."""

_IMAGES = 3
_SHAPE = (12, 14, 10)


class FuzzedServer(ChildServer):
    """The real server as a subprocess, used as a context manager.

    Args:
        mode: ``served`` (``spss serve``) or ``plain`` (``monailabel start_server``).
        root: everything the server may write to lies in it.
    """

    def __init__(self, mode: str, root: Path) -> None:
        self.root = root.resolve()
        self.token = secrets.token_urlsafe(32) if mode == "served" else ""
        self._writes = self.root / "writes.log"
        self._prepare()
        port = free_port()
        super().__init__(
            f"The fuzzed server ({mode})",
            [*self._environment_of_its_own(), *_command(mode, self.root, port)],
            port=port,
            log=self.root / "server.log",
            ready="/healthz",
            start_seconds=_START_SECONDS,
        )

    @property
    def headers(self) -> dict[str, str]:
        """What each request needs."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def start(self) -> None:
        """Starts the server and draws one plane, so that propagation has something to do."""
        super().start()
        try:
            _draw_a_plane(self)
            self._writes.write_bytes(b"")  # the start itself is no answer to a request
        except BaseException:
            self.stop()
            raise

    def statuses(self) -> dict[str, int]:
        """HTTP statuses of all answers, by the access log."""
        log = (self.root / "server.log").read_text(errors="replace", encoding="utf-8")
        return dict(sorted(Counter(_STATUS.findall(log)).items()))

    def strays(self) -> tuple[str, ...]:
        """Files that the server wrote to, outside of the places where its own belong."""
        lines = self._writes.read_bytes().splitlines() if self._writes.exists() else []
        written = {Path(os.fsdecode(line)) for line in lines}
        return tuple(sorted(str(path) for path in written if is_stray(path, self.root)))

    def _prepare(self) -> None:
        for name in ("cwd", "home", "tmp", "watch"):
            (self.root / name).mkdir()
        make_phantoms(self.root / "studies", _IMAGES, shape=_SHAPE)
        make_app_folder(self.root / "app")
        (self.root / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
        token = self.root / "token"
        token.touch(0o600)
        token.write_text(f"{self.token or 'unused-unused-unused'} admin fuzzer\n", encoding="utf-8")

    def _environment_of_its_own(self) -> list[str]:
        """Home and temporary folder inside the root; every write is noted."""
        folders = {"HOME": "home", "XDG_DATA_HOME": "home", "MPLCONFIGDIR": "home"}
        folders |= {"TMPDIR": "tmp", "SPSS_FUZZ_LOG": self._writes.name}
        own = [f"{name}={self.root / folder}" for name, folder in folders.items()]
        paths = (str(self.root / "watch"), os.environ.get("PYTHONPATH", ""))
        return ["env", *own, "PYTHONPATH=" + os.pathsep.join(filter(None, paths))]


def is_stray(path: Path, root: Path) -> bool:
    """True if a server with its folders in ``root`` has no business to write there."""
    if "__pycache__" in path.parts or path in (root / "writes.log", Path("/dev/null")):
        return False
    folders = [root / name for name in _OWN_FOLDERS]
    if any(folder == path or folder in path.parents for folder in folders):
        return False
    is_index = path.parent == root / "studies" and _INDEX_FILE.fullmatch(path.name)
    return not is_index and path not in (root / "app" / "lib", root / "app", root / "studies")


def _command(mode: str, root: Path, port: int) -> list[str]:
    places = ["--app", str(root / "app"), "--studies", str(root / "studies")]
    where = ["--host", "127.0.0.1", "--port", str(port)]
    if mode == "served":
        own = ["spss.cli.main", "serve", "--token-file", str(root / "token"), "--access-log"]
    else:
        own = ["monailabel.main", "start_server", "--access_log"]
    return [sys.executable, "-m", *own, *places, *where]


def _draw_a_plane(server: FuzzedServer) -> None:
    image_id = "phantom_000"
    studies = server.root / "studies"
    truth = read_label(studies / "labelsTr" / f"{image_id}.nii.gz")
    drawn = np.zeros_like(truth)
    plane = Plane(2, _SHAPE[2] // 2)
    drawn[plane.slices] = truth[plane.slices]
    file = server.root / "cwd" / "label.nii.gz"
    write_label(file, drawn, like=read_image(studies / "imagesTr" / f"{image_id}.nii.gz"))
    with file.open("rb") as stream:
        answer = requests.put(
            f"{server.url}/datastore/label",
            params={"image": image_id, "tag": "final"},
            files={"label": (file.name, stream)},
            headers=server.headers,
            timeout=60,
        )
    answer.raise_for_status()
