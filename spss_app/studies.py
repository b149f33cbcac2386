"""Where the images are, and where the app writes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from spss.errors import InputError
from spss_app.options import AppOptions

FOLDER_NAME = "spss"
"""The app's own folder inside the workspace."""


@dataclass(frozen=True)
class Studies:
    """The folders of one server.

    Attributes:
        address: what ``--studies`` said: a folder or a DICOMweb address.
        images: folder of the images; None for DICOMweb.
        workspace: folder for MONAI Label's index and label files.
        own: folder for drafts, scores and notes, which can be made again.
        ledger: folder of the annotation ledger, which cannot.
    """

    address: str
    images: Path | None
    workspace: Path
    own: Path
    ledger: Path

    @property
    def is_dicomweb(self) -> bool:
        """True if the images come from a DICOMweb server."""
        return self.images is None


def find_studies(address: str, options: AppOptions) -> Studies:
    """Decides on the folders from ``--studies`` and the options.

    A folder with ``dataset.json`` and ``imagesTr`` is a Decathlon data set: images are taken from
    ``imagesTr`` alone, and ``labelsTr`` is never read. Everything is written into the studies
    folder, or, where that is read-only or an address, into the user's data folder.

    Raises:
        InputError: a Decathlon folder was asked for and is none.
    """
    asked = options.folder("workspace")
    if address.startswith(("http://", "https://")):
        workspace = asked or user_data_folder() / _short_name(address)
        images = None
    else:
        root = Path(address).expanduser().resolve()
        images = _images_folder(root, options.layout)
        writable = os.access(root, os.W_OK)
        workspace = asked or (root if writable else user_data_folder() / _short_name(str(root)))
    own = workspace / FOLDER_NAME
    return Studies(address, images, workspace, own, options.folder("ledger") or own / "ledger")


def user_data_folder() -> Path:
    """``$XDG_DATA_HOME/spss``: kept, unlike a cache."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "spss"


def _images_folder(root: Path, layout: str) -> Path:
    inner = root / "imagesTr"
    if layout == "decathlon" and not inner.is_dir():
        msg = f"{root} has no folder imagesTr: use --conf layout flat, or give another folder."
        raise InputError(msg)
    is_decathlon = inner.is_dir() and (root / "dataset.json").is_file()
    return inner if layout == "decathlon" or (layout == "auto" and is_decathlon) else root


def _short_name(address: str) -> str:
    """Readable, and different for different addresses."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    last = address.rstrip("/").rsplit("/", 1)[-1]
    readable = "".join(c if c.isalnum() or c in "-_" else "_" for c in last)[:40]
    return f"{readable}-{digest}"
