"""A submit from start to end: read, name, understand, record, publish, answer."""

from __future__ import annotations

import logging
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Entry, Ledger, Plane
from spss.errors import InputError, NotReadyError
from spss.types import UNDECIDED, ClassMap
from spss.volumes import image_name, write_label
from spss.volumes.grid import OnGrid
from spss_app.datastore.guarded import GuardedDatastore
from spss_app.datastore.names import FINAL
from spss_app.drafts import Drafts
from spss_app.served import Served
from spss_app.submit.label_info import names_of_values, to_task_classes
from spss_app.submit.label_reader import LabelFile, read_label_file
from spss_app.submit.rejected import keep_aside
from spss_app.submit.understanding import Annotated, in_words, understand
from spss_app.task_classes import TaskClasses
from spss_app.volume_cache import VolumeCache

logger = logging.getLogger(__name__)

_LONGEST_AUTHOR = 100


@dataclass(frozen=True)
class Understood:
    """What the annotator is told.

    Attributes:
        text: one sentence, shown by Slicer.
        entry: the ledger's entry.
        planes: the planes this submit decided; empty for dense labels and voxels.
    """

    text: str
    entry: Entry
    planes: tuple[Plane, ...]

    def answer(self) -> dict[str, Any]:
        """The part of the HTTP answer that this app adds."""
        return {
            "understood": self.text,
            "annotated": self.entry.kind,
            "annotated_planes": [{"axis": p.axis, "index": p.index} for p in self.planes],
            "entry": self.entry.id,
        }


@dataclass
class Submitter:
    """Takes labels into the ledger.

    Attributes:
        store: where images are found and the folded labels go.
        ledger: the record of all decisions.
        classes: the task's classes; the first submit may name them.
        drafts: what was served, to tell corrections from new labels.
        served: who was asked for which plane.
        volumes: image headers.
        rejected: folder for labels that could not be understood.
        rule: ``auto``, ``sparse`` or ``dense``.
    """

    store: GuardedDatastore
    ledger: Ledger
    classes: TaskClasses
    drafts: Drafts
    served: Served
    volumes: VolumeCache
    rejected: Path
    rule: str = "auto"
    _publishing: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def submit(self, image_id: str, file: Path, params: dict[str, Any]) -> Understood:
        """Takes a label file from a client.

        Raises:
            InputError: it cannot be understood; the file is kept aside and the message says so.
        """
        try:
            grid = self.volumes.grid(Path(self.store.get_image_uri(image_id)))
            label = self._named_label(file, params, grid)
            understood = self._record(image_id, label, params, grid)
        except InputError as error:
            reason = str(error).replace(image_name(file), repr(image_id))
            kept = keep_aside(self.rejected, image_id, file, params, reason)
            msg = f"{reason} (The label is kept on the server as {kept}.)"
            raise InputError(msg) from error
        return understood

    def publish(self, image_id: str, grid: OnGrid) -> None:
        """Writes the ledger's current state as the image's final label, for other clients."""
        with self._publishing:  # whoever comes last has folded what all the others recorded
            self._publish(image_id, grid)

    def _publish(self, image_id: str, grid: OnGrid) -> None:
        """Writes the final label that other clients read from what the ledger holds now."""
        names = self.classes.names
        revision = self.ledger.standing(image_id).revision
        sparse = self.ledger.sparse_label(image_id, names)
        info = {
            "label_info": [{"name": n, "idx": i} for i, n in enumerate(names) if i],
            "annotated_planes": [{"axis": p.axis, "index": p.index} for p in sparse.planes],
            "dense": sparse.is_dense,
            "revision": revision,
        }
        with tempfile.TemporaryDirectory(prefix="spss-") as folder:
            path = Path(folder) / "label.nii.gz"
            write_label(path, sparse.classes, like=grid)
            self.store.store_label(image_id, path, FINAL, info)

    def republish(self, image_id: str) -> None:
        """Brings the final label up to the ledger; without any annotation there is none."""
        if self.ledger.standing(image_id).is_empty:
            self.store.drop_label(image_id, FINAL)
            return
        grid = self.volumes.grid(Path(self.store.get_image_uri(image_id)))
        self.publish(image_id, grid)

    def republish_stale(self) -> int:
        """Final labels that a kill, a restore or an import left behind the ledger; how many."""
        stale = 0
        for image_id in sorted({*self.ledger.image_ids()} & {*self.store.fetched_images()}):
            said = self.store.get_label_info(image_id, FINAL).get("revision", "")
            standing = self.ledger.standing(image_id)
            if said == ("" if standing.is_empty else standing.revision):
                continue
            try:
                self.republish(image_id)
                stale += 1
            except (InputError, NotReadyError, OSError) as error:
                logger.warning("A final label is behind the ledger: %s", error)
        return stale

    def _named_label(self, file: Path, params: dict[str, Any], grid: OnGrid) -> ClassMap:
        """The label in the task's numbering, 255 where undecided."""
        read: LabelFile = read_label_file(file, like=grid)
        used = [int(v) for v in np.unique(read.values) if v not in (0, UNDECIDED)]
        names = read.names or names_of_values(used, params.get("label_info"))
        if not self.classes.names:
            listed = list(dict.fromkeys(names[v] for v in sorted(names)))
            self.classes.name_by_first_submit(listed or [f"class_{v}" for v in used] or ["class_1"])
        return to_task_classes(read.values, names, self.classes.names)

    def _record(
        self, image_id: str, label: ClassMap, params: dict[str, Any], grid: OnGrid
    ) -> Understood:
        """Decides what was drawn, by what was asked for and what was offered, and keeps it."""
        client = str(params.get("client_id") or "")
        asked = self.served.plane(image_id, client)
        if asked is not None and asked.index >= label.shape[asked.axis]:
            asked = None
        draft = self.drafts.closest(image_id, label, like=grid)
        named = params.get("annotated_planes")
        what: Annotated = understand(label, named=named, rule=self.rule, draft=draft, asked=asked)
        if what == "voxels" and not (label == UNDECIDED).any():
            label = np.where(label == 0, UNDECIDED, label).astype(np.uint8)
        author = str(params.get("author") or params.get("user") or client)[:_LONGEST_AUTHOR]
        entry = self.ledger.record(
            image_id,
            label,
            what,
            class_names=self.classes.names,
            affine=grid.affine,
            author=author,
            provenance=str(params.get("provenance") or "manual")[:_LONGEST_AUTHOR],
        )
        self.publish(image_id, grid)
        self.store.note(
            "import" if entry.provenance.startswith("DICOM SEG") else "submit",
            image=image_id,
            who=author,
            sha256=entry.label_sha256,
            entry=entry.id,
        )
        self.served.release(image_id, client)
        standing = self.ledger.standing(image_id)
        text = in_words(what, label, self.classes.names, grid.affine, standing)
        return Understood(text, entry, () if isinstance(what, str) else what)
