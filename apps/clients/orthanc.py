"""A throw-away Orthanc with DICOMweb, on a free loopback port, for tests and `make clients`."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pydicom
import requests
from dicomweb_client import DICOMwebClient

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_SECONDS = 30.0


def why_not() -> str | None:
    """Why Orthanc cannot be started on this machine, or None if it can."""
    if program() is None or not PLUGIN.exists():
        return "Orthanc with DICOMweb is missing: apt-get install orthanc orthanc-dicomweb"
    return None


def program() -> str | None:
    """Path of the server's binary. Debian keeps it in /usr/sbin, outside a user's PATH."""
    return shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")


class Orthanc:
    """A running server; use it as a context manager.

    Args:
        folder: where it keeps its database; a temporary folder that is deleted at the end if None.
        port: the HTTP port; a free one if None. ``stop`` and ``start`` keep it, so that a test can
            take the server away and bring it back.
    """

    def __init__(self, folder: Path | None = None, *, port: int | None = None) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="spss-orthanc-"))
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Root of the server's own REST interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb(self) -> str:
        """What ``--studies`` takes."""
        return f"{self.url}/dicom-web"

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            RuntimeError: if it ends or is not up within 30 seconds; the message has its log.
        """
        config = self.folder / "orthanc.json"
        config.write_text(json.dumps(_configuration(self.folder, self.port)))
        log = self.folder / "orthanc.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(program()), str(config)], stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                requests.get(f"{self.url}/system", timeout=2).raise_for_status()
                return
            except requests.RequestException:
                time.sleep(0.1)
        self.stop()
        msg = f"Orthanc did not start:\n{log.read_text(errors='replace')[-2000:]}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """Ends the server; its data stay until the context is left."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def store(self, files: Iterable[Path]) -> None:
        """Sends DICOM files by STOW-RS, as a modality or a viewer would."""
        datasets = [pydicom.dcmread(file) for file in files]
        self.store_datasets(datasets)

    def store_datasets(self, datasets: list[pydicom.Dataset]) -> None:
        """Sends datasets by STOW-RS, in one request per series."""
        client = DICOMwebClient(self.dicomweb)
        series: dict[str, list[pydicom.Dataset]] = {}
        for dataset in datasets:
            series.setdefault(str(dataset.SeriesInstanceUID), []).append(dataset)
        for group in series.values():
            client.store_instances(group)

    def series(self, modality: str) -> list[pydicom.Dataset]:
        """What QIDO-RS lists for one modality."""
        found = DICOMwebClient(self.dicomweb).search_for_series(
            search_filters={"Modality": modality}
        )
        return [pydicom.Dataset.from_json(item) for item in found]

    def __enter__(self) -> Orthanc:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._temporary and self._process is not None:
            self._process.kill()  # it takes seconds to end in peace, and its data go anyway
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configuration(folder: Path, port: int) -> dict[str, object]:
    return {
        "Name": "spss-clients",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
