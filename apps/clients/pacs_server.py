"""Our server on a throw-away PACS: what the client checks and `make clients` run against."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import spss_app
from spss_apps.clients.orthanc import Orthanc
from spss_apps.server import ServerProcess

LABELS = ("anterior", "posterior")


class PacsServer:
    """Orthanc and the MONAI Label server side by side; use it as a context manager.

    Args:
        images: DICOM files to put into the PACS before our server starts.
        folder: for everything either of them writes; temporary if None.
    """

    def __init__(self, images: Iterable[Path], folder: Path | None = None) -> None:
        self._images = images
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="spss-clients-"))
        self.orthanc = Orthanc()
        self.log = self.folder / "server.log"
        self.server = ServerProcess(
            Path(spss_app.__file__).parent,
            self.orthanc.dicomweb,
            log=self.log,
            conf={
                "workspace": str(self.folder / "workspace"),
                "labels": ",".join(LABELS),
                "ohif": "mirrored",  # the viewer used here is the one that MONAI Label serves
            },
        )

    @property
    def url(self) -> str:
        """The MONAI Label server's address."""
        return self.server.url

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
