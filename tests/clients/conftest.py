from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spss_apps.clients.orthanc import Orthanc, why_not


@pytest.fixture
def orthanc() -> Iterator[Orthanc]:
    """An empty PACS of one test's own."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Orthanc() as server:
        yield server


@pytest.fixture(scope="session")
def dicom_folder() -> Path:
    """The real series: hippocampus crops and an oblique T1 stack."""
    root = Path(os.environ.get("SPSS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (root / "dicom").is_dir():
        pytest.skip(f"no real DICOM series in {root / 'dicom'}")
    return root / "dicom"
