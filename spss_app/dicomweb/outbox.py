"""Segmentations on their way to the PACS: each waits as a file until the server has taken it."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spss.annotation.durable import write_durably
from spss_app.dicomweb.errors import PacsError
from spss_app.dicomweb.pacs import Pacs


class Outbox:
    """A folder of unsent SEG files. Sending twice is harmless: the instance UID is the same.

    Args:
        root: the folder; made with the first file.
        pacs: where the files go.
    """

    def __init__(self, root: Path, pacs: Pacs) -> None:
        self.root = Path(root)
        self._pacs = pacs

    def put(self, segmentation: Dataset) -> Path:
        """Keeps a segmentation until ``send`` gets it through."""
        self.root.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, segmentation, write_like_original=False)
        path = self.root / f"{segmentation.SOPInstanceUID}.dcm"
        write_durably(path, buffer.getvalue())
        return path

    def pending(self) -> list[Path]:
        """Files not sent yet, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(self.root.glob("[0-9]*.dcm"), key=lambda path: path.stat().st_mtime_ns)

    def send(self) -> int:
        """Sends what is pending; returns how many went through.

        Raises:
            PacsError: the server is away; what was not sent stays.
        """
        sent = 0
        refusal: PacsError | None = None
        for path in self.pending():
            try:
                self._pacs.store(pydicom.dcmread(path))
            except FileNotFoundError:
                continue  # another process sent it in between
            except InvalidDicomError:
                path.rename(path.with_suffix(".damaged"))
                continue
            except PacsError as error:
                refusal = refusal or error  # one refused file must not hold up the others
                continue
            path.unlink(missing_ok=True)
            sent += 1
        if refusal is not None:
            raise refusal
        return sent
