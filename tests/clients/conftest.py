from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from spss_apps.clients.orthanc import Orthanc, why_not
from spss_apps.clients.pacs_server import PacsServer
from spss_apps.clients.slicer_client import SlicerClient


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


@pytest.fixture(scope="session")
def pacs_server(dicom_folder: Path) -> Iterator[PacsServer]:
    """Our server on a PACS with the real series; shared, so tests take different patients."""
    if not os.environ.get("SPSS_CLIENTS"):
        pytest.skip("a server and a browser on a PACS: run by `make clients`")
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with PacsServer(sorted(dicom_folder.rglob("*.dcm"))) as running:
        yield running


@pytest.fixture
def slicer(pacs_server: PacsServer, tmp_path: Path) -> Iterator[SlicerClient]:
    yield SlicerClient(pacs_server.url, tmp_path / "slicer", client_id=uuid.uuid4().hex)
    gc.collect()  # MONAI Label's client leaves its sockets to it: now, not in another test
