"""The PACS as a datastore: the images' ids are SeriesInstanceUIDs, the labels are DICOM SEGs."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monailabel.datastore.dicom import DICOMWebDatastore
from monailabel.datastore.local import DataModel, ImageLabelModel
from monailabel.interfaces.exception import ImageNotFoundException

from spss.annotation import BACKGROUND, folder_name
from spss.annotation.durable import write_durably
from spss.errors import InputError
from spss.volumes import read_grid, read_label, write_label
from spss_app.datastore.guarded import GuardedDatastore
from spss_app.datastore.names import FINAL, IMAGE_ENDINGS
from spss_app.dicomweb.errors import PacsAwayError, PacsError, SeriesError
from spss_app.dicomweb.exchange import Incoming, SegmentationExchange
from spss_app.dicomweb.image_cache import ImageCache
from spss_app.dicomweb.image_list import ImageList, search_filters
from spss_app.dicomweb.ohif_export import REFUSE
from spss_app.dicomweb.pacs import Pacs
from spss_app.dicomweb.report import annotated_planes, drawn_again, segmentation_report
from spss_app.http_errors import answers_http

SYNCHRONISE_SECONDS = 1.0
"""Requests that come closer together than this ask the PACS for new segmentations only once."""

IMAGES = "dicom"
"""Subfolder of the workspace with the fetched series, one folder and one NIfTI file each."""

_logger = logging.getLogger(__name__)


class DicomwebDatastore(GuardedDatastore):
    """Images from a DICOMweb server; labels into the ledger first, then back as DICOM SEG.

    Every request that looks at the datastore also sends what waits and imports segmentations that
    other viewers stored. While the server is away, what has been fetched can be annotated on, and
    labels wait in the workspace.

    Args:
        pacs: the DICOMweb server.
        workspace: folder for fetched images, labels, the register and unsent segmentations.
        filters: QIDO-RS filters for images; the user's settings if None.
        ohif: what to do with segmentations that OHIF wrote.
    """

    def __init__(
        self,
        pacs: Pacs,
        workspace: Path,
        *,
        filters: Sequence[Mapping[str, str]] | None = None,
        ohif: str = REFUSE,
    ) -> None:
        self.workspace = Path(workspace).resolve()
        self.pacs = pacs
        self.images = ImageCache(self.workspace / IMAGES, pacs)
        self.found = ImageList(pacs, self.images, search_filters() if filters is None else filters)
        self.exchange = SegmentationExchange(
            self.workspace / "pacs", pacs, self.images, self._take, ohif=ohif
        )
        self._unsent = self.workspace / "pacs" / "unsent"
        self._synchronised_at = float("-inf")
        self._synchronising = threading.Lock()
        self._importing = threading.local()
        super().__init__(
            str(self.workspace),
            images_dir=IMAGES,
            extensions=tuple(f"*{ending}" for ending in IMAGE_ENDINGS),
            auto_reload=False,
        )

    def name(self) -> str:
        """The server's address."""
        return self.pacs.url

    def list_images(self) -> list[str]:
        """UIDs of all series that can be segmented, sorted; a broken one only until it is tried.

        While the PACS is away these are the series that have been fetched.
        """
        self.refresh_if_changed()
        there = () if self.found.away else self.found.series()
        return sorted({*there, *self._datastore.objects})

    def get_unlabeled_images(
        self, label_tag: str | None = None, labels: list[str] | None = None
    ) -> list[str]:
        """Series without a final label."""
        return sorted({*self.list_images()} - {*self.get_labeled_images()})

    def object_of(self, image_id: str) -> ImageLabelModel:
        """The index's record of a series, fetched when it is asked for the first time."""
        self.refresh_if_changed()
        if image_id not in self._datastore.objects:
            if image_id in self.found.series() or image_id in self.found.series(fresh=True):
                self._fetch(image_id)
            elif reason := self.found.why_refused(image_id):
                raise SeriesError(reason)
        return super().object_of(image_id)

    def get_image_uri(self, image_id: str) -> str:
        """Path of the series as a NIfTI file; empty for an unknown one, as MONAI Label has it."""
        try:
            self.object_of(image_id)
        except ImageNotFoundException:
            return ""
        return str(super().get_image_uri(image_id))

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What viewers show of a series, known before it is fetched."""
        found = self.found.series().get(image_id)
        known = dict(found.info) if found else {}
        return {**known, **super().get_image_info(image_id)}

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Refuses: images belong into the PACS, where every viewer sees them."""
        return self._refuse_upload(image_id)

    @answers_http
    def _refuse_upload(self, image_id: str) -> str:
        msg = f"Image {image_id!r} was not taken: send it to the DICOM server {self.pacs.url}."
        raise InputError(msg)

    def store_label(self, image_id: str, file: Path, tag: str, info: dict[str, Any]) -> str:
        """Keeps a label; a final one also goes to the PACS, now or when it is back."""
        label_id = super().store_label(image_id, file, tag, info)
        if tag == FINAL and not getattr(self._importing, "now", False):
            self._send(image_id)
        return label_id

    def refresh_if_changed(self) -> None:
        """Takes over what changed in the folders and in the PACS."""
        super().refresh_if_changed()
        if time.monotonic() - self._synchronised_at < SYNCHRONISE_SECONDS or (
            self.on_submit is None  # the app is not up yet: nobody could take an import
        ):
            return
        if self._synchronising.acquire(blocking=False):
            try:
                self._synchronise()
            finally:
                self._synchronised_at = time.monotonic()
                self._synchronising.release()

    def status(self) -> dict[str, Any]:
        """Counts, and what the annotator should know about the PACS."""
        return {
            **super().status(),
            "dicomweb": {
                "away": self.found.away,
                "unsent": len(self.exchange.outbox.pending()) + len(self._waiting()),
                **segmentation_report(self.exchange.register.known().values()),
                "refused_series": {uid: r.reason for uid, r in self.images.refused().items()},
            },
        }

    def _fetch(self, image_id: str) -> None:
        try:
            self.images.volume(image_id)
        except PacsAwayError as error:
            self.found.away = str(error)
            raise
        except PacsError as error:  # this series alone: the others can be annotated
            raise SeriesError(str(error)) from error
        except InputError as error:
            raise SeriesError(str(error)) from error
        found = self.found.series().get(image_id)
        name = f"{image_id}.nii.gz"
        info = {**(found.info if found else {}), "ts": int(time.time()), "name": name}
        with self.changing() as index:
            index.objects.setdefault(
                image_id, ImageLabelModel(image=DataModel(info=info, ext=".nii.gz"))
            )

    def _synchronise(self) -> None:
        try:
            for image_id in self._waiting():
                self._send(image_id)
            said = self.exchange.synchronise(self.found.series().keys())
            if said:
                _logger.info("%d segmentations came in from the DICOM server.", len(said))
        except PacsError as error:
            self.found.away = str(error)

    def _take(self, incoming: Incoming) -> str:
        """Gives a segmentation from the PACS to the ledger, by the same rule as a submit."""
        label, image_id = incoming.label, incoming.image_id
        params: dict[str, Any] = {
            "label_info": [{"name": n, "idx": i} for i, n in enumerate(label.names, start=1)],
            "author": incoming.author,
            "provenance": incoming.provenance,
        }
        if label.planes is not None:
            params["annotated_planes"] = [{"axis": p.axis, "index": p.index} for p in label.planes]
        if self.on_submit is None:
            msg = "No ledger is there to take a segmentation."
            raise InputError(msg)
        grid = read_grid(self.get_image_uri(image_id))
        again = drawn_again(label, self.get_label_info(image_id, FINAL), grid.affine)
        # What came from the PACS is not sent back: two servers would answer each other for ever.
        self._importing.now = True
        try:
            with tempfile.TemporaryDirectory(prefix="spss-") as folder:
                file = Path(folder) / "segmentation.nii.gz"
                write_label(file, label.classes, like=grid)
                self.on_submit(image_id, file, params)
        finally:
            self._importing.now = False
        return f"{incoming.provenance}: {', '.join(label.names)}{again}"

    def _send(self, image_id: str) -> None:
        """Writes the final label back as SEG; if the PACS is away, a note keeps it in mind."""
        note = self._unsent / folder_name(image_id)
        self._unsent.mkdir(parents=True, exist_ok=True)
        write_durably(note, image_id.encode())
        record = self._datastore.objects[image_id].labels.get(FINAL)
        try:
            if record is not None:
                _logger.info(self._write_back(image_id, record.info))
        except PacsError as error:
            _logger.warning("A label is not in the DICOM server yet: %s", error)
            return
        except InputError as error:
            _logger.info("Nothing to send: %s", error)
        note.unlink(missing_ok=True)

    def _write_back(self, image_id: str, info: Mapping[str, Any]) -> str:
        file = Path(self.get_label_uri(image_id, FINAL))
        classes = read_label(file, like=read_grid(self.images.volume(image_id)))
        names = [BACKGROUND, *(str(item["name"]) for item in info.get("label_info", ()))]
        dense = bool(info.get("dense")) or "annotated_planes" not in info
        planes = annotated_planes(info)
        said = "all voxels" if dense else f"{len(planes)} plane{'' if len(planes) == 1 else 's'}"
        digest = hashlib.sha256(classes.tobytes() + repr((names, dense, planes)).encode())
        return self.exchange.send(
            image_id,
            classes,
            names,
            planes=None if dense else planes,
            description=f"SPSS labels, {said}",
            digest=digest.hexdigest(),
        )

    def _waiting(self) -> list[str]:
        """Images whose final label could not be made into a SEG yet."""
        notes = sorted(self._unsent.iterdir()) if self._unsent.is_dir() else []
        return [note.read_text(encoding="utf-8") for note in notes if not note.name.startswith(".")]


# For MONAI Label's endpoints, which offer results as DICOM SEG where the datastore is of this kind.
DICOMWebDatastore.register(DicomwebDatastore)
