from __future__ import annotations

import gc
import importlib.util
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from spss.errors import NotReadyError
from spss_app.dicomweb.series import Series, read_series
from spss_apps.clients.cohort import Cohort, default_scratch, open_cohort
from spss_apps.clients.desk import Desk, send_images
from spss_apps.clients.dicom_series import renew, save
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
def data() -> Path:
    """Where data sets may be."""
    return Path(os.environ.get("SPSS_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def cohort(data: Path) -> Cohort:
    """Real series: hippocampus crops and an oblique T1 stack, else crops of a CT series."""
    try:
        return open_cohort(data, default_scratch(), download="SPSS_CLIENTS" in os.environ)
    except NotReadyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def pacs_servers(cohort: Cohort) -> Iterator[Callable[[bool], PacsServer]]:
    """The plain server and `spss serve`, each on a PACS of its own, started when first needed.

    One start takes half a minute, so all tests share them: what must not be drawn in by another
    test comes from `new_series`.
    """
    if not os.environ.get("SPSS_CLIENTS"):
        pytest.skip("a server and a browser on a PACS: run by `make clients`")
    reason = why_not()
    if reason:
        pytest.skip(reason)
    running: dict[bool, PacsServer] = {}
    with ExitStack() as started:

        def get(guarded: bool) -> PacsServer:
            if guarded not in running:
                running[guarded] = started.enter_context(PacsServer(cohort.files, guarded=guarded))
            return running[guarded]

        yield get


@pytest.fixture
def pacs_server(
    pacs_servers: Callable[[bool], PacsServer], request: pytest.FixtureRequest
) -> PacsServer:
    """Our server on a PACS with the real series.

    A parameter True chooses `spss serve`, which wants a token, in place of the plain server.
    """
    return pacs_servers(getattr(request, "param", False))


def fetch(pacs_server: PacsServer, uid: str) -> None:
    """Has the server fetch a series, which it may not see for a second after it was stored."""
    with pacs_server.session() as session:
        for _ in range(50):
            asked = {"image": uid}
            answer = session.get(f"{pacs_server.url}/datastore/image", params=asked, timeout=300)
            if answer.ok:
                return
            time.sleep(0.1)
    answer.raise_for_status()


@pytest.fixture
def new_series(
    pacs_server: PacsServer, cohort: Cohort, tmp_path: Path
) -> Iterator[Callable[..., Series]]:
    """Stores a copy of a role's series (or given images) in the PACS; it is gone after the test."""
    stored: list[Series] = []

    def store(
        role: str = "first",
        datasets: Sequence[Dataset] | None = None,
        accept: Callable[[str], bool] = lambda uid: True,
    ) -> Series:
        files = sorted(cohort.folders[role].iterdir())
        copies = renew(datasets or [pydicom.dcmread(file) for file in files], accept)
        pacs_server.orthanc.store_datasets(copies)
        stored.append(read_series(save(copies, tmp_path / f"series-{len(stored)}")))
        fetch(pacs_server, stored[-1].uid)
        return stored[-1]

    yield store
    for series in stored:
        with pacs_server.session() as session:
            asked = {"id": series.uid, "tag": "final"}
            session.delete(f"{pacs_server.url}/datastore/label", params=asked, timeout=60)
        pacs_server.orthanc.delete_study(str(series.headers[0].StudyInstanceUID))


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
