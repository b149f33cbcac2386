from __future__ import annotations

import gc
import importlib.util
import os
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

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
MODULE = Path(__file__).parents[2] / "apps" / "slicer" / "SPSSNextPlane.py"


class Recorder:
    """A server that answers what it is told and keeps what it is sent.

    ``answers`` go by the beginning of the path; any other path gets ``answer``.
    """

    def __init__(self) -> None:
        self.status, self.answer = 200, b"{}"
        self.answers: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, Any, bytes]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.requests.append((self.command, self.path, self.headers, body))
                known = (value for key, value in recorder.answers.items() if key in self.path)
                answer = next(known, recorder.answer)
                self.send_response(recorder.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = handle_any  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def stop(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder()
    yield server
    server.stop()


@pytest.fixture
def module() -> ModuleType:
    """The Slicer module, loaded from its file as Slicer does, with whatever is in its place."""
    spec = importlib.util.spec_from_file_location("SPSSNextPlane", MODULE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


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
