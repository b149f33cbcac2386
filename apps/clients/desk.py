"""One server's side of the exchange with a PACS, alone, and what is drawn for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spss.errors import InputError
from spss.types import ClassMap
from spss_app.dicomweb.exchange import Incoming, SegmentationExchange
from spss_app.dicomweb.image_cache import ImageCache
from spss_app.dicomweb.pacs import Pacs
from spss_app.dicomweb.series import Series, stack
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.orthanc import Orthanc

NAMES = ("background", "anterior", "posterior")

_IMAGES = ({"Modality": "MR"}, {"Modality": "CT"})
"""What the cohorts of the client checks consist of."""


class Desk:
    """One server's side: its cache, its exchange, and what came in."""

    def __init__(self, url: str, folder: Path, ohif: str = "refuse") -> None:
        self.pacs = Pacs(url, search_seconds=2, transfer_seconds=5)
        self.images = ImageCache(folder / "images", self.pacs)
        self.received: list[Incoming] = []
        self.exchange = SegmentationExchange(folder, self.pacs, self.images, self.record, ohif=ohif)

    def record(self, incoming: Incoming) -> str:
        """Takes every label but one of a liver."""
        if "liver" in incoming.label.names:
            msg = "The label 'liver' is none of the classes."
            raise InputError(msg)
        self.received.append(incoming)
        return f"{len(incoming.label.names)} classes understood"

    def synchronise(self) -> tuple[str, ...]:
        """Sends and imports, as a request to the server does first."""
        ids = {found.uid for found in self.pacs.find_series(_IMAGES)}
        return self.exchange.synchronise(ids)

    def states(self) -> list[str]:
        """What became of each segmentation that is known."""
        return sorted(known.state for known in self.exchange.register.known().values())


def send_images(orthanc: Orthanc, **options: Any) -> Series:
    """Stores a small noisy series; ``options`` are those of `make_series`."""
    volume = np.random.default_rng(3).integers(0, 500, (10, 8, 6)).astype(np.int16)
    datasets = make_series(volume, **options)
    orthanc.store_datasets(datasets)
    return stack(datasets, [Path(str(index)) for index in range(len(datasets))])


def drawing(series: Series, *, value: int = 1, index: int = 3) -> ClassMap:
    """A rectangle of one class on one slice."""
    classes = np.zeros(series.shape, np.uint8)
    classes[2:5, 2:6, index] = value
    return classes
