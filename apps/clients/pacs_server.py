"""Our server on a throw-away PACS: what the client checks and `make clients` run against."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import requests

import spss_app
from spss.annotation import Ledger
from spss_apps.clients.orthanc import Orthanc
from spss_apps.server import ServerProcess

LABELS = ("anterior", "posterior")


class PacsServer:
    """Orthanc and the MONAI Label server side by side; use it as a context manager.

    Args:
        images: DICOM files to put into the PACS before our server starts.
        folder: for everything either of them writes; temporary if None.
        guarded: start `spss serve`, which wants a token, instead of the plain server.
    """

    def __init__(
        self, images: Iterable[Path], folder: Path | None = None, *, guarded: bool = False
    ) -> None:
        self._images = images
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="spss-clients-"))
        self.orthanc = Orthanc()
        self.log = self.folder / "server.log"
        tokens = self.folder / "tokens"
        if guarded:
            tokens.touch(mode=0o600)
            tokens.write_text(f"{secrets.token_urlsafe(32)} admin tester\n", encoding="utf-8")
        self.server = ServerProcess(
            Path(spss_app.__file__).parent,
            self.orthanc.dicomweb,
            log=self.log,
            token_file=tokens if guarded else None,
            conf={
                "workspace": str(self.folder / "workspace"),
                "labels": ",".join(LABELS),
                "lease_minutes": "0",  # one check after the other: none waits for another's lease
                "ohif": "mirrored",  # the viewer used here is the one that MONAI Label serves
            },
        )

    @property
    def url(self) -> str:
        """The MONAI Label server's address."""
        return self.server.url

    @property
    def token(self) -> str:
        """What the server wants to see; empty for the plain one."""
        return self.server.token

    @property
    def ledger(self) -> Ledger:
        """The server's ledger, read from its folder."""
        (root,) = (self.folder / "workspace").rglob("ledger")
        return Ledger(root)

    def session(self) -> requests.Session:
        """Sends the server's token, if it has one, with every request."""
        session = requests.Session()
        session.headers.update(self.server.headers)
        return session

    def __enter__(self) -> PacsServer:
        self.orthanc.__enter__()
        try:
            self.orthanc.store(self._images)
            self.server.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.stop()
        self.orthanc.__exit__(kind, error, trace)
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
