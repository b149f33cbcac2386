from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from spss.errors import NotReadyError
from spss_app.dicomweb.series import Series
from spss_apps.clients.cohort import Cohort, default_scratch, open_cohort
from spss_apps.clients.desk import Desk, send_images
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.ohif import why_not as no_browser
from spss_apps.clients.orthanc import Orthanc, why_not
from spss_apps.clients.pacs_server import PacsServer
from spss_apps.clients.slicer_client import SlicerClient

PICTURES = Path(__file__).parents[2] / "docs" / "img"


@pytest.fixture
def orthanc() -> Iterator[Orthanc]:
    """An empty PACS of one test's own."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Orthanc() as server:
        yield server


@pytest.fixture
def desk(orthanc: Orthanc, tmp_path: Path) -> Desk:
    """One server's side of the exchange."""
    return Desk(orthanc.dicomweb, tmp_path / "desk")


@pytest.fixture
def image(orthanc: Orthanc) -> Series:
    """A small series that is in the PACS."""
    return send_images(orthanc, patient_id="P7")


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Real series: hippocampus crops and an oblique T1 stack, else crops of a CT series."""
    data = Path(os.environ.get("SPSS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    try:
        return open_cohort(data, default_scratch(), download="SPSS_CLIENTS" in os.environ)
    except NotReadyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pacs_server(cohort: Cohort, request: pytest.FixtureRequest) -> Iterator[PacsServer]:
    """Our server on a PACS with the real series, one for each file of tests.

    A parameter True starts `spss serve`, which wants a token, in place of the plain server.
    """
    if not os.environ.get("SPSS_CLIENTS"):
        pytest.skip("a server and a browser on a PACS: run by `make clients`")
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with PacsServer(cohort.files, guarded=getattr(request, "param", False)) as running:
        yield running


@pytest.fixture
def viewer(pacs_server: PacsServer) -> Iterator[Ohif]:
    """A browser with nothing open yet."""
    reason = no_browser()
    if reason:
        pytest.skip(reason)
    with Ohif(pacs_server.url, pacs_server.token) as page:
        yield page


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Screenshots replace those of the guide only when asked for."""
    return PICTURES if os.environ.get("SPSS_PICTURES") else tmp_path


@pytest.fixture
def slicer(pacs_server: PacsServer, tmp_path: Path) -> Iterator[SlicerClient]:
    yield SlicerClient(
        pacs_server.url, tmp_path / "slicer", client_id=uuid.uuid4().hex, token=pacs_server.token
    )
    gc.collect()  # MONAI Label's client leaves its sockets to it: now, not in another test
