"""The MONAI Label server as a subprocess that never outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from spss.errors import NotReadyError

START_SECONDS = 240.0
"""Time given to import torch and MONAI on a busy machine before a start counts as failed."""

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP threads that sleep while they wait. Where other programs share the cores, spinning ones
made a training step five times slower (measured on 2 cores under a load of 10)."""

STOP_SECONDS = 10.0
LOG_LINES = 15


class ServerDiedError(NotReadyError):
    """The server is not running any more; the message ends with its last log lines."""


class ServerProcess:
    """``monailabel start_server`` on a loopback port, in a process group of its own.

    Used as a context manager it starts the server, waits until it answers and stops it with all
    its children, whatever happens inside.
    """

    def __init__(
        self,
        app: Path,
        studies: Path | str,
        *,
        log: Path,
        conf: Mapping[str, str] | None = None,
        port: int | None = None,
        on_wait: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepares a server; nothing is started yet.

        Args:
            app: folder for ``--app``.
            studies: folder or DICOMweb address for ``--studies``.
            log: file that receives what the server prints.
            conf: passed on as ``--conf key value``.
            port: a free one if None.
            on_wait: called about twice a second while the server starts.
        """
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._on_wait = on_wait
        self._command = _command(app, studies, self.port, conf or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and returns once it answers ``/info/``.

        Raises:
            ServerDiedError: it ended, or did not answer within START_SECONDS.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**WAITING, **os.environ},
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raises ServerDiedError if the server has ended."""
        if self._process is None or self._process.poll() is not None:
            code = self._process.returncode if self._process else None
            msg = f"The MONAI Label server ended (exit status {code}). {self._last_lines()}"
            raise ServerDiedError(msg)

    def stop(self) -> None:
        """Ends the server and every process it started."""
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # a training subprocess may outlive the server's own end
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            if _answers(f"{self.url}/info/"):
                return
            self._on_wait()
            time.sleep(0.4)
        msg = (
            f"The MONAI Label server did not answer within {START_SECONDS:.0f} seconds. "
            f"{self._last_lines()}"
        )
        raise ServerDiedError(msg)

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"The last lines of {self._log}:", *lines])


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(app: Path, studies: Path | str, port: int, conf: Mapping[str, str]) -> list[str]:
    # not the `monailabel` script: it starts whatever python is first in PATH
    command = [sys.executable, "-m", "monailabel.main", "start_server"]
    command += ["--app", str(app), "--studies", str(studies)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    for key, value in conf.items():
        command += ["--conf", key, value]
    return command


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return bool(json.load(response))
    except urllib.error.HTTPError as error:
        msg = f"The MONAI Label server answers {url} with status {error.code}: see its log."
        raise ServerDiedError(msg) from error
    except (OSError, ValueError):
        return False


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
