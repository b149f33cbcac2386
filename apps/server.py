"""Our MONAI Label server as a subprocess: for the demo, benchmarks and client checks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from spss_apps.child_server import ChildServer, ServerDiedError, free_port

__all__ = ["ServerDiedError", "ServerProcess", "free_port"]

START_SECONDS = 900.0
"""Time given to import torch and MONAI before a start counts as failed: 25 seconds were measured
on 2 cores at a load of 2, more than 240 at a load of 16. A server that ends is noticed at once."""

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP threads that sleep while they wait. Where other programs share the cores, spinning ones
made a training step five times slower (measured on 2 cores under a load of 10)."""


class ServerProcess(ChildServer):
    """``monailabel start_server`` or, with a token, ``spss serve`` on a loopback port."""

    def __init__(
        self,
        app: Path,
        studies: Path | str,
        *,
        log: Path,
        conf: Mapping[str, str] | None = None,
        port: int | None = None,
        token_file: Path | None = None,
        on_wait: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepares a server; nothing is started yet.

        Args:
            app: folder for ``--app``.
            studies: folder or DICOMweb address for ``--studies``.
            log: file that receives what the server prints.
            conf: passed on as ``--conf key value``.
            port: a free one if None.
            token_file: ``spss serve`` is started with these tokens; None starts the plain server.
            on_wait: called several times a second while the server starts.
        """
        port = port or free_port()
        self.token = _first_token(token_file) if token_file else ""
        command = _command(app, studies, port, conf or {})
        if token_file:
            command = _guarded(command, token_file)
        super().__init__(
            "The MONAI Label server",
            command,
            port=port,
            log=log,
            ready="/info/",
            start_seconds=START_SECONDS,
            environment=WAITING,
            headers=self.headers,
            on_wait=on_wait,
        )

    @property
    def headers(self) -> dict[str, str]:
        """What a request must bring; nothing for a server without tokens."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def _command(app: Path, studies: Path | str, port: int, conf: Mapping[str, str]) -> list[str]:
    """MONAI Label's own start, by this Python."""
    # not the `monailabel` script: it starts whatever python is first in PATH
    command = [sys.executable, "-m", "monailabel.main", "start_server"]
    command += ["--app", str(app), "--studies", str(studies)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    for key, value in conf.items():
        command += ["--conf", key, value]
    return command


def _guarded(command: list[str], token_file: Path) -> list[str]:
    """The same server behind a login."""
    start = "import sys; from spss.cli.main import main; sys.exit(main())"
    options = command[command.index("start_server") + 1 :]
    return [sys.executable, "-c", start, "serve", *options, "--token-file", str(token_file)]


def _first_token(file: Path) -> str:
    """The token of the first line ``TOKEN ROLE NAME``."""
    lines = (line.split("#")[0].split() for line in file.read_text(encoding="utf-8").splitlines())
    return next(words[0] for words in lines if words)
