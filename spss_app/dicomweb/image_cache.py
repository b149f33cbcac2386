"""Series fetched from the PACS, kept as DICOM headers and one NIfTI file each."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import pydicom
from filelock import FileLock

from spss.annotation.durable import write_durably
from spss.errors import InputError
from spss_app.dicomweb.errors import PacsError
from spss_app.dicomweb.pacs import Pacs
from spss_app.dicomweb.series import Series, read_series
from spss_app.dicomweb.volume_file import write_volume

_UID = re.compile(r"[0-9.]{1,64}")
_LOCK_SECONDS = 300.0


@dataclass(frozen=True)
class Refusal:
    """Why a series cannot be used, and how many images it had when it was tried."""

    reason: str
    images: int


class ImageCache:
    """The series that have been asked for, one folder and one ``.nii.gz`` file each.

    A series is fetched into a folder with a temporary name that is renamed when it is complete, so
    a cut connection never leaves half a series behind.

    Args:
        root: folder of the cache; ``<uid>/`` holds the DICOM files, ``<uid>.nii.gz`` the volume.
        pacs: where the series come from.
    """

    def __init__(self, root: Path, pacs: Pacs) -> None:
        self.root = Path(root)
        self._pacs = pacs

    def volume(self, series_uid: str) -> Path:
        """The series as a NIfTI file, fetched and converted when it is asked for the first time.

        Raises:
            InputError: unknown series, or one that is not a regular stack of grey images. The
                reason is remembered in ``refused``.
            PacsError: the server is away.
        """
        path = self.root / f"{_checked(series_uid)}.nii.gz"
        if path.exists():
            return path
        with self._locked(series_uid):
            if not path.exists():
                try:
                    write_volume(self._series(series_uid), path)
                except InputError as error:
                    self._refuse(series_uid, str(error))
                    raise
        return path

    def series(self, series_uid: str) -> Series:
        """Headers and grid of a series.

        Raises:
            InputError: as ``volume``.
            PacsError: the server is away.
        """
        self.volume(series_uid)
        with self._locked(series_uid):
            return self._series(series_uid)

    def refused(self) -> dict[str, Refusal]:
        """Series that cannot be used, by UID, from earlier attempts."""
        refusals = {}
        for path in sorted(self.root.glob("*.refused.json")) if self.root.is_dir() else ():
            try:
                refusal = Refusal(**json.loads(path.read_bytes()))
            except (ValueError, TypeError):
                continue
            refusals[path.name.removesuffix(".refused.json")] = refusal
        return refusals

    def forget(self, series_uid: str) -> None:
        """Drops everything kept about a series, so that it is fetched again."""
        shutil.rmtree(self.root / _checked(series_uid), ignore_errors=True)
        (self.root / f"{series_uid}.nii.gz").unlink(missing_ok=True)
        (self.root / f"{series_uid}.refused.json").unlink(missing_ok=True)

    def _locked(self, series_uid: str) -> AbstractContextManager[object]:
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / f".{series_uid}.lock", timeout=_LOCK_SECONDS)

    def _series(self, series_uid: str) -> Series:
        folder = self.root / series_uid
        if not folder.is_dir():
            self._fetch(series_uid, folder)
        return read_series(folder)

    def _fetch(self, series_uid: str, folder: Path) -> None:
        """Fetches a series and writes it as one volume, if all of it came."""
        found = self._pacs.find_one(series_uid)
        if found is None:
            msg = f"The DICOM server has no series {series_uid}: ask for a sample again."
            raise InputError(msg)
        datasets = self._pacs.fetch(found.study_uid, series_uid)
        if len(datasets) < found.images:
            msg = (
                f"The DICOM server sent {len(datasets)} of {found.images} images of series "
                f"{series_uid}: try again."
            )
            raise PacsError(msg)
        temporary = self.root / f".{uuid.uuid4().hex}.part"
        temporary.mkdir()
        try:
            for dataset in datasets:
                # Names from UIDs, which were checked to be digits and dots.
                name = f"{_checked(str(dataset.SOPInstanceUID))}.dcm"
                pydicom.dcmwrite(temporary / name, dataset, write_like_original=False)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _refuse(self, series_uid: str, reason: str) -> None:
        folder = self.root / series_uid
        refusal = Refusal(reason, len(list(folder.iterdir())) if folder.is_dir() else 0)
        path = self.root / f"{series_uid}.refused.json"
        write_durably(path, json.dumps(asdict(refusal)).encode())


def _checked(uid: str) -> str:
    if not _UID.fullmatch(uid) or not uid.strip("."):
        msg = f"{uid[:80]!r} is no DICOM UID (digits and dots): use an id from the list of images."
        raise InputError(msg)
    return uid
