"""Where the images are, and where a server and the commands write."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from spss.errors import InputError
from spss.volumes.files import image_ending, image_name, list_images

FOLDER_NAME = "spss"
"""The app's own folder inside the workspace."""

REMOTE_IMAGES = "dicom"
"""Folder of the workspace for the images that were fetched from a DICOMweb server."""

STUDY_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Files in a studies folder that are images; ``.seg.nrrd`` is a segmentation."""


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

    @property
    def images_here(self) -> Path:
        """Folder of the image files that are on this machine."""
        return self.workspace / REMOTE_IMAGES if self.images is None else self.images

    @property
    def classes_file(self) -> Path:
        """Where the names of the classes are kept, once the first label has named them."""
        return self.own / "classes.json"

    @property
    def audit_file(self) -> Path:
        """The audit log."""
        return self.own / "audit.jsonl"

    def image_files(self) -> dict[str, Path]:
        """Image id → file, as the server names them: by the file name without its ending.

        Of two files with one name the ``.nii.gz`` has it, the other keeps its ending as part.
        """
        found: dict[str, Path] = {}
        paths = [p for p in list_images(self.images_here) if _is_image(p)]
        for path in sorted(paths, key=lambda p: (not p.name.lower().endswith(".nii.gz"), p.name)):
            name = image_name(path)
            found[path.name if name in found else name] = path
        return dict(sorted(found.items()))


def find_folders(
    address: str, *, layout: str = "auto", workspace: Path | None = None, ledger: Path | None = None
) -> Studies:
    """Decides on the folders.

    A folder with ``dataset.json`` and ``imagesTr`` is a Decathlon data set: images are taken from
    ``imagesTr`` alone, and ``labelsTr`` is never read. Everything is written into the studies
    folder, or, where that is read-only or an address, into the user's data folder.

    Args:
        address: folder or DICOMweb address.
        layout: ``flat``, ``decathlon`` or ``auto``.
        workspace: folder for all that is written; None = as above.
        ledger: folder of the ledger; None = inside the workspace.

    Raises:
        InputError: a Decathlon folder was asked for and is none.
    """
    if address.startswith(("http://", "https://")):
        workspace = workspace or user_data_folder() / _short_name(address)
        images = None
    else:
        root = Path(address).expanduser().resolve()
        images = _images_folder(root, layout)
        writable = os.access(root, os.W_OK)
        workspace = workspace or (root if writable else user_data_folder() / _short_name(str(root)))
    own = workspace / FOLDER_NAME
    return Studies(address, images, workspace, own, ledger or own / "ledger")


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


def _is_image(path: Path) -> bool:
    return image_ending(path).lower() in STUDY_ENDINGS
