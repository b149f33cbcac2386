"""Talking to a DICOMweb server that may be slow, away or strange, without waiting for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spss_app.dicomweb.client import make_client
from spss_app.dicomweb.errors import PacsAwayError, PacsError, PacsUnreadableError

SEGMENTABLE = ("CT", "MR", "PT", "NM", "US")
"""Modalities asked for when the user names none: those whose series can be a stack of grey
images. Colour and multi-frame series among them are refused one by one, by name."""

SEARCH_SECONDS = 5.0
TRANSFER_SECONDS = 60.0
AWAY_SECONDS = 5.0
"""After a failure nobody waits for the server again for this long; requests fail at once."""

_PAGE = 500
_UNREADABLE = (*(ValueError, KeyError, TypeError, AttributeError, EOFError), InvalidDicomError)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class FoundSeries:
    """One line of a QIDO-RS search for series.

    Attributes:
        uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        modality: CT, MR, …, SEG.
        images: NumberOfSeriesRelatedInstances, 0 if the server does not say.
        info: the fields that MONAI Label shows (PatientID, StudyDate, …), as text.
    """

    uid: str
    study_uid: str
    modality: str
    images: int
    info: dict[str, str]


class Pacs:
    """A DICOMweb server.

    Args:
        url: root of QIDO-RS, WADO-RS and STOW-RS.
        auth: user name and password for HTTP basic or digest, if the server wants them.
        prefixes: path prefixes of QIDO, WADO and STOW below ``url``, where they differ.
        search_seconds: longest wait for an answer to a search.
        transfer_seconds: longest silence while images are sent or fetched.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: Any = None,
        prefixes: tuple[str | None, str | None, str | None] = (None, None, None),
        search_seconds: float = SEARCH_SECONDS,
        transfer_seconds: float = TRANSFER_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self._searcher = make_client(self.url, auth, prefixes, search_seconds)
        self._carrier = make_client(self.url, auth, prefixes, transfer_seconds)
        self._away_until = 0.0
        self._away_because = ""
        self._guard = threading.Lock()

    @property
    def client(self) -> DICOMwebClient:
        """The client for searches, as MONAI Label's datastore expects one."""
        return self._searcher

    def find_series(self, filters: Sequence[Mapping[str, str]]) -> list[FoundSeries]:
        """All series that match at least one of the QIDO-RS filters, such as ``Modality``.

        Raises:
            PacsError: the server is away or refuses.
        """
        found: dict[str, FoundSeries] = {}
        for wanted in filters:
            for item in self._pages(dict(wanted)):
                series = _found(item)
                if series is not None:
                    found.setdefault(series.uid, series)
        return list(found.values())

    def find_one(self, series_uid: str) -> FoundSeries | None:
        """One series by its UID, or None if the server does not have it.

        Raises:
            PacsError: the server is away or refuses.
        """
        items = (_found(item) for item in self._pages({"SeriesInstanceUID": series_uid}))
        # Servers that do not know the filter answer with everything they have.
        return next((series for series in items if series and series.uid == series_uid), None)

    def headers(self, study_uid: str, series_uid: str) -> list[Dataset]:
        """Headers without pixels of all instances of a series.

        Raises:
            PacsError: the server is away or refuses.
        """

        def question() -> list[Dataset]:
            """Takes the answer apart as well, so that a damaged one is refused in one sentence."""
            items = self._searcher.retrieve_series_metadata(study_uid, series_uid)
            return [_dataset(item) for item in items]

        return self._ask(question, "headers")

    def fetch(self, study_uid: str, series_uid: str) -> list[Dataset]:
        """All instances of a series, with pixels.

        Raises:
            PacsError: the server is away or refuses.
        """
        return self._ask(lambda: self._carrier.retrieve_series(study_uid, series_uid), "images")

    def fetch_instance(self, study_uid: str, series_uid: str, uid: str) -> Dataset:
        """One instance, with pixels.

        Raises:
            PacsError: the server is away or refuses.
        """
        return self._ask(
            lambda: self._carrier.retrieve_instance(study_uid, series_uid, uid), "an image"
        )

    def store(self, dataset: Dataset) -> None:
        """Sends one instance. Sending the same one twice does no harm.

        Raises:
            PacsError: the server is away or did not keep it.
        """
        answer = self._ask(lambda: self._carrier.store_instances([dataset]), "a stored label")
        failed = answer.get("FailedSOPSequence")
        if failed:
            reason = failed[0].get("FailureReason", "no reason given")
            msg = f"The DICOM server {self.url} refused the label (failure reason {reason})."
            raise PacsError(msg)

    def _pages(self, filters: dict[str, str]) -> Iterator[dict[str, Any]]:
        """All answers of a search, page by page, each once."""
        seen: set[str] = set()
        offset = 0
        while True:
            page = self._ask(
                lambda offset=offset: self._searcher.search_for_series(  # type: ignore[misc]
                    search_filters=filters, limit=_PAGE, offset=offset
                ),
                "a list of series",
            )
            fresh = [item for item in page if _uid(item) not in seen]
            seen.update(_uid(item) for item in fresh)
            yield from fresh
            # A server may cap pages below our limit, or ignore the offset and repeat itself.
            if not fresh:
                return
            offset += len(page)

    def _ask(self, question: Callable[[], _Answer], what: str) -> _Answer:
        """One question; a PACS that is away is not asked again for a while."""
        with self._guard:
            if time.monotonic() < self._away_until:
                raise PacsAwayError(self._away_because)
        try:
            return question()
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "no"
            msg = f"The DICOM server {self.url} answered HTTP {status} when asked for {what}."
            raise PacsError(msg) from error
        except (requests.RequestException, OSError) as error:
            msg = (
                f"The DICOM server {self.url} does not answer ({type(error).__name__} when asked "
                f"for {what}); nothing is lost, try again when it is back."
            )
            with self._guard:
                self._away_until = time.monotonic() + AWAY_SECONDS
                self._away_because = msg
            raise PacsAwayError(msg) from error
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())[:200]
            msg = f"The DICOM server {self.url} sent something unreadable for {what} ({reason})."
            raise PacsUnreadableError(msg) from error


def _dataset(item: dict[str, Any]) -> Dataset:
    """From DICOM JSON; pixels and other bulk data, which are only linked to, stay empty."""
    return Dataset.from_json(item, bulk_data_uri_handler=lambda _tag, _vr, _uri: None)


def _uid(item: dict[str, Any]) -> str:
    values = (item.get("0020000E") or {}).get("Value") or [""]
    return str(values[0])


def _found(item: dict[str, Any]) -> FoundSeries | None:
    """What a search tells of a series; None for an answer that names no series."""
    try:
        dataset = _dataset(item)
    except _UNREADABLE:
        return None
    uid, study_uid = str(dataset.get("SeriesInstanceUID", "")), dataset.get("StudyInstanceUID", "")
    if not uid or not study_uid:
        return None
    keywords = ("StudyDate", "StudyTime", "Modality", "PatientID", "SeriesDescription")
    info = {keyword: str(dataset.get(keyword) or "UNK") for keyword in keywords}
    info |= {"StudyInstanceUID": str(study_uid), "SeriesInstanceUID": uid}
    return FoundSeries(
        uid,
        str(study_uid),
        str(dataset.get("Modality", "")),
        int(dataset.get("NumberOfSeriesRelatedInstances") or 0),
        info,
    )
