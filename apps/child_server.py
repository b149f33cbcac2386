"""A server program as a subprocess that never outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from spss.errors import NotReadyError

if TYPE_CHECKING:
    from typing_extensions import Self

STOP_SECONDS = 10.0
LOG_LINES = 15
_PAUSE_SECONDS = 0.2


class ServerDiedError(NotReadyError):
    """The server is not running any more; the message ends with its last log lines."""


class ChildServer:
    """A program that serves HTTP on a loopback port, in a process group of its own.

    Used as a context manager it starts the server, waits until it answers and stops it with all
    its children, whatever happens inside. It may be stopped and started again on the same port.

    Attributes:
        name: what messages call it.
        port: on the loopback interface.
        start_seconds: a start that takes longer has failed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        ready: str,
        start_seconds: float,
        environment: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        on_wait: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepares a server; nothing is started yet.

        Args:
            name: what messages call it.
            command: the program and its arguments.
            port: where the program will listen.
            log: file that receives what the server prints.
            ready: path that answers with a JSON object as soon as the server is up.
            start_seconds: a start that takes longer has failed.
            environment: variables the program gets unless they are set already.
            headers: of the requests for ``ready``, such as a login.
            on_wait: called several times a second while the server starts.
        """
        self.name, self.port, self.start_seconds = name, port, start_seconds
        self._command, self._log, self._ready = tuple(command), log, ready
        self._environment, self._headers = dict(environment or {}), dict(headers or {})
        self._on_wait = on_wait
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int:
        """Of the program, which leads a process group of its own.

        Raises:
            ServerDiedError: it is not running.
        """
        self.check()
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process to stop."""
        return self._process is not None

    def __enter__(self) -> Self:
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
        """Starts the server and returns once it answers.

        Raises:
            ServerDiedError: it ended, or did not answer within ``start_seconds``.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**self._environment, **os.environ},
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
            msg = f"{self.name} ended (exit status {code}). {self._last_lines()}"
            raise ServerDiedError(msg)

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the server and every process it started.

        Args:
            at_once: without the time to close its files, for one whose data go anyway.
        """
        process, self._process = self._process, None
        if process is None:
            return
        if not at_once:
            _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(0 if at_once else STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # a subprocess of its own may outlive the server's end
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_until_ready(self) -> None:
        """Until it answers; one that dies or hangs ends the waiting with its last lines."""
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            self.check()
            if self._answers():
                return
            self._on_wait()
            time.sleep(_PAUSE_SECONDS)
        msg = f"{self.name} did not answer within {self.start_seconds:.0f} seconds. "
        raise ServerDiedError(msg + self._last_lines())

    def _answers(self) -> bool:
        """True once it answers; a refusal is an error, since waiting would not mend it."""
        request = urllib.request.Request(self.url + self._ready, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return bool(json.load(response))
        except urllib.error.HTTPError as error:
            msg = f"{self.name} answers {self.url}{self._ready} with status {error.code}. "
            raise ServerDiedError(msg + self._last_lines()) from error
        except (OSError, ValueError):
            return False

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace", encoding="utf-8").splitlines()[-LOG_LINES:]
        return "\n".join([f"The last lines of {self._log}:", *lines])


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
