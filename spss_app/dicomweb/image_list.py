"""Which series of the PACS are images of this server."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from monailabel.config import settings

from spss_app.dicomweb.errors import PacsError
from spss_app.dicomweb.image_cache import ImageCache
from spss_app.dicomweb.pacs import SEGMENTABLE, FoundSeries, Pacs

LIST_SECONDS = 10.0
"""How old the list of series may be. MONAI Label's own cache keeps it for two hours."""

FRESH_SECONDS = 1.0
"""How old it may be when somebody asks for a series that is not on it."""

_logger = logging.getLogger(__name__)


def search_filters(modalities: Sequence[str] = SEGMENTABLE) -> list[dict[str, str]]:
    """The QIDO-RS filters for images: the user's own, else one for each modality.

    MONAI Label's default is CT alone, so that a user with MR data sees an empty server. It cannot
    be told from a user's ``{"Modality": "CT"}``, since the server exports all its settings, so
    both mean "not set"; ``{"00080060": "CT"}`` asks for CT alone.
    """
    own = {key: str(value) for key, value in settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER.items()}
    if own == {"Modality": "CT"}:
        own = {}
    if own.keys() & {"Modality", "00080060"}:
        return [own]
    return [{**own, "Modality": modality} for modality in modalities]


class ImageList:
    """The image series, asked for again when the list is older than a few seconds.

    While the PACS is away the last list stands, so that what has been fetched can be annotated on.

    Args:
        pacs: the DICOMweb server.
        images: what has been fetched; series that proved unusable are left out.
        filters: QIDO-RS filters.
    """

    def __init__(
        self, pacs: Pacs, images: ImageCache, filters: Sequence[Mapping[str, str]]
    ) -> None:
        self._pacs = pacs
        self._images = images
        self._filters = filters
        self._found: dict[str, FoundSeries] = {}
        self._asked_at = float("-inf")
        self._guard = threading.Lock()
        self.away: str = ""
        """Why the list is an old one; empty if it is not."""

    def series(self, *, fresh: bool = False) -> dict[str, FoundSeries]:
        """Usable image series by UID.

        Args:
            fresh: take nothing older than a second: a series may just have been sent.
        """
        with self._guard:
            may_be_old = FRESH_SECONDS if fresh or not self._found else LIST_SECONDS
            if time.monotonic() - self._asked_at > may_be_old:
                self._ask()
            found = dict(self._found)
        for uid, refusal in self._images.refused().items():
            if uid in found and found[uid].images in (0, refusal.images):
                del found[uid]
            elif uid in found:
                self._images.forget(uid)  # it has grown since: it may be complete now
        return found

    def why_refused(self, series_uid: str) -> str:
        """Why a series that the PACS has cannot be used; empty for any other one."""
        with self._guard:
            is_there = series_uid in self._found
        refusal = self._images.refused().get(series_uid) if is_there else None
        return refusal.reason if refusal else ""

    def _ask(self) -> None:
        """Asks the PACS anew; while it is away the last list stays."""
        self._asked_at = time.monotonic()
        try:
            listed = self._pacs.find_series(self._filters)
        except PacsError as error:
            self.away = str(error)
            _logger.warning("The list of images is an old one: %s", error)
            return
        self.away = ""
        new = {series.uid: series for series in listed if series.modality in SEGMENTABLE}
        if new.keys() != self._found.keys():
            _logger.info("The DICOM server has %s series.", _counts(new) or "no image")
        self._found = new


def _counts(found: Mapping[str, FoundSeries]) -> str:
    """``12 MR, 3 CT``."""
    counts: Counter[Any] = Counter(series.modality for series in found.values())
    return ", ".join(f"{count} {modality}" for modality, count in counts.most_common())
