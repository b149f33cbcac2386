"""Labels between the ledger and the PACS: ours go out as SEG, other viewers' SEGs come in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss.errors import InputError
from spss.types import ClassMap
from spss_app.dicomweb.errors import PacsError, PacsUnreadableError
from spss_app.dicomweb.image_cache import ImageCache
from spss_app.dicomweb.ohif_export import REFUSE, correct_ohif, is_from_ohif, which_ohif
from spss_app.dicomweb.outbox import Outbox
from spss_app.dicomweb.pacs import FoundSeries, Pacs
from spss_app.dicomweb.register import Known, Register
from spss_app.dicomweb.segmentation_reader import (
    SegmentationLabel,
    read_segmentation,
    referenced_series,
)
from spss_app.dicomweb.segmentation_writer import write_segmentation

IMPORT_SECONDS = 20.0
"""A request imports for at most this long; what is left is imported with the next one."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incoming:
    """A SEG that a viewer stored, read onto the grid of its images.

    Attributes:
        image_id: SeriesInstanceUID of the images.
        label: classes, names and (if we wrote it ourselves once) planes.
        author: ContentCreatorName, may be empty.
        provenance: names the SEG instance; the ledger must take each provenance only once.
    """

    image_id: str
    label: SegmentationLabel
    author: str
    provenance: str


class SegmentationExchange:
    """Keeps the ledger and the PACS in step, one SEG instance at a time, each exactly once.

    Args:
        root: folder for the register and the outbox.
        pacs: the DICOMweb server.
        images: the fetched series.
        record: puts an incoming label into the ledger and says what it understood; raises
            InputError for a label it cannot use.
        ohif: what to do with segmentations that OHIF wrote.
    """

    def __init__(
        self,
        root: Path,
        pacs: Pacs,
        images: ImageCache,
        record: Callable[[Incoming], str],
        *,
        ohif: str = REFUSE,
    ) -> None:
        self.root = Path(root)
        self.register = Register(self.root / "segmentations.json")
        self.outbox = Outbox(self.root / "outbox", pacs)
        self._pacs = pacs
        self._images = images
        self._record = record
        self._ohif = ohif

    def send(
        self,
        image_id: str,
        classes: ClassMap,
        class_names: Sequence[str],
        *,
        planes: Sequence[Plane] | None,
        description: str,
        digest: str = "",
    ) -> str:
        """Writes a label back as SEG; if the PACS is away it is sent with a later request.

        Args:
            image_id: the images' SeriesInstanceUID.
            classes: ``(I, J, K)`` uint8 on the images' grid.
            class_names: names of the values, background first.
            planes: the annotated planes; None for a dense label.
            description: SeriesDescription.
            digest: names the content; the content that was sent last is not sent again.

        Returns:
            What happened, as a sentence for the annotator.

        Raises:
            InputError: the label cannot be a SEG (for example: it has no voxel).
        """
        if digest and digest == self._newest_digest(image_id):
            return "The DICOM server has this label already."
        series = self._images.series(image_id)
        segmentation = write_segmentation(
            classes, class_names, series, planes=planes, description=description
        )
        entry = Known(
            "ours",
            str(segmentation.SeriesInstanceUID),
            str(segmentation.StudyInstanceUID),
            image_id,
            digest,
        )
        # Known as ours before anyone can see it, so that it never comes back as someone else's.
        self.register.add({str(segmentation.SOPInstanceUID): entry})
        self.outbox.put(segmentation)
        try:
            self.outbox.send()
        except PacsError as error:
            return f"Kept here and not yet in the DICOM server: {error}"
        return "Stored in the DICOM server as a segmentation."

    def _newest_digest(self, image_id: str) -> str:
        """Of the content that was sent last for an image; empty if none was."""
        ours = [
            entry.detail
            for entry in self.register.known().values()
            if entry.state == "ours" and entry.image_id == image_id
        ]
        return ours[-1] if ours else ""

    def synchronise(self, image_ids: Collection[str]) -> tuple[str, ...]:
        """Sends what waits and imports new SEGs of ``image_ids``; one process at a time.

        Returns:
            One sentence for each segmentation that came in.

        Raises:
            PacsError: the server is away; everything waits for the next call.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / "synchronise.lock", timeout=0):
                self._send_pending()
                return self._import_new(image_ids)
        except Timeout:
            return ()

    def _send_pending(self) -> None:
        try:
            self.outbox.send()
        except PacsError as error:
            # What the server will not take must not keep other people's labels from coming in.
            _logger.warning("Some labels are not in the DICOM server yet: %s", error)

    def _import_new(self, image_ids: Collection[str]) -> tuple[str, ...]:
        deadline = time.monotonic() + IMPORT_SECONDS
        known = self.register.known()
        sentences = []
        for header, series in self._new_instances(known, image_ids):
            if time.monotonic() > deadline:
                break
            uid = str(header.SOPInstanceUID)
            try:
                entry = self._take(header, series, image_ids)
            except PacsUnreadableError as error:  # looked at again by the next call
                _logger.warning("A segmentation was passed over: %s", error)
                continue
            self.register.add({uid: entry})
            if entry.state == "imported":
                sentences.append(entry.detail)
            elif entry.state in ("refused", "unsure"):
                _logger.warning("A segmentation was not imported: %s", entry.detail)
        return tuple(sentences)

    def _new_instances(
        self, known: dict[str, Known], image_ids: Collection[str]
    ) -> list[tuple[Dataset, FoundSeries]]:
        """Headers of instances not dealt with yet, in the order they were drawn."""
        arrived = {
            entry.series_uid
            for entry in known.values()
            if (entry.state == "waiting" and entry.image_id in image_ids)
            or (entry.state == "unsure" and self._ohif != REFUSE)
        }
        done = {uid for uid, entry in known.items() if entry.series_uid not in arrived}
        counted: dict[str, int] = {}
        for entry in known.values():
            counted[entry.series_uid] = counted.get(entry.series_uid, 0) + 1
        found = []
        for series in self._pacs.find_series([{"Modality": "SEG"}]):
            # A series we know completely costs no further request.
            complete = counted.get(series.uid, 0) >= max(1, series.images)
            if complete and series.uid not in arrived:
                continue
            found += [
                (header, series)
                for header in self._headers(series)
                if header.get("SOPInstanceUID") and str(header.SOPInstanceUID) not in done
            ]
        return sorted(found, key=lambda pair: _drawn_at(pair[0]))

    def _headers(self, series: FoundSeries) -> list[Dataset]:
        """None if they are unreadable: one damaged series must not hold up the others."""
        try:
            return self._pacs.headers(series.study_uid, series.uid)
        except PacsUnreadableError as error:
            _logger.warning("A series of segmentations was passed over: %s", error)
            return []

    def _take(self, header: Dataset, series: FoundSeries, image_ids: Collection[str]) -> Known:
        image_id = referenced_series(header) or ""
        entry = Known("waiting", series.uid, series.study_uid, image_id)
        uid = str(header.SOPInstanceUID)
        if image_id not in image_ids:
            what = f"series {image_id}" if image_id else "no series at all"
            detail = f"Segmentation {uid} refers to {what}, which is not among our images."
            return replace(entry, detail=detail)
        try:
            dataset = self._pacs.fetch_instance(series.study_uid, series.uid, uid)
            images = self._images.series(image_id)
            label = read_segmentation(dataset, images)
            if is_from_ohif(dataset):
                if self._ohif == REFUSE:
                    return replace(entry, state="unsure", detail=which_ohif(uid))
                label = correct_ohif(label, images, self._ohif)
            author = str(dataset.get("ContentCreatorName") or "")
            said = self._record(Incoming(image_id, label, author, f"DICOM SEG {uid}"))
            return replace(entry, state="imported", detail=said)
        except InputError as error:
            return replace(entry, state="refused", detail=str(error))


def _drawn_at(header: Dataset) -> tuple[str, str, int]:
    """What segmentations are imported in the order of: date, time, number."""
    number = header.get("InstanceNumber")
    return (
        str(header.get("ContentDate") or header.get("SeriesDate") or ""),
        str(header.get("ContentTime") or header.get("SeriesTime") or ""),
        number if isinstance(number, int) else 0,  # two numbers in one field are none
    )
