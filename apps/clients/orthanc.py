"""A throw-away Orthanc with DICOMweb, on a free loopback port, for tests and `make clients`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

import pydicom
import requests
from dicomweb_client import DICOMwebClient

from spss_apps.child_server import ChildServer, free_port

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


class Orthanc(ChildServer):
    """A PACS with a folder of its own; use it as a context manager.

    Args:
        folder: where it keeps its database; a temporary folder that is deleted at the end if None.
        port: the HTTP port; a free one if None. ``stop`` and ``start`` keep it, so that a test can
            take the server away and bring it back.
    """

    def __init__(self, folder: Path | None = None, *, port: int | None = None) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="spss-orthanc-"))
        port = port or free_port()
        super().__init__(
            "Orthanc",
            [str(program()), str(self.folder / "orthanc.json")],
            port=port,
            log=self.folder / "orthanc.log",
            ready="/system",
            start_seconds=_START_SECONDS,
        )
        config = _configuration(self.folder, port)
        (self.folder / "orthanc.json").write_text(json.dumps(config), encoding="utf-8")

    @property
    def dicomweb(self) -> str:
        """What ``--studies`` takes."""
        return f"{self.url}/dicom-web"

    def store(self, files: Iterable[Path]) -> None:
        """Sends DICOM files by STOW-RS, as a modality or a viewer would."""
        datasets = [pydicom.dcmread(file) for file in files]
        self.store_datasets(datasets)

    def store_datasets(self, datasets: Sequence[pydicom.Dataset]) -> None:
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

    def delete_study(self, study_uid: str) -> None:
        """Takes a study away with everything in it; nothing happens if there is none."""
        found = requests.post(f"{self.url}/tools/lookup", data=study_uid, timeout=60).json()
        for place in (item["Path"] for item in found if item["Type"] == "Study"):
            requests.delete(self.url + place, timeout=60).raise_for_status()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # in peace it takes seconds to end
        self.stop(at_once=self._temporary)
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


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
