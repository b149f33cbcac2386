"""Everything one server works with: images, ledger, classes, drafts, models."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Ledger
from spss.errors import InputError, NotReadyError
from spss.memory import SHARE, free_memory_gb
from spss.propagation.bounded import propagate_within
from spss.propagation.joining import agreement
from spss.studies import AuditLog
from spss.suggestion import ImageState, summarise_organ
from spss.types import ClassMap
from spss.volumes import Grid, Volume, read_label, write_label
from spss_app.datastore.guarded import GuardedDatastore
from spss_app.datastore.names import ORIGINAL
from spss_app.draft import AS_DRAWN, Draft, propagated_source
from spss_app.drafts import Drafts
from spss_app.image_states import read_states
from spss_app.label_names import label_names
from spss_app.models import ModelFolder
from spss_app.notes import Notes
from spss_app.options import AppOptions
from spss_app.predicting import Predicting
from spss_app.scoring.known import KnownScores
from spss_app.served import Served
from spss_app.studies import Studies
from spss_app.task_classes import TaskClasses
from spss_app.volume_cache import VolumeCache

logger = logging.getLogger(__name__)

IMPORTED = "imported"
"""Tag that keeps another tool's label when a draft takes its place under ``original``."""

_FETCHED_AT_ONCE = 2
"""New images that one question about all images may fetch from a remote server."""


@dataclass
class Project:
    """The parts of one server, and what several tasks do with them.

    Attributes:
        studies: the folders.
        options: the ``--conf`` settings.
        store: images and label files.
        ledger: what people decided.
        classes: the task's classes.
    """

    studies: Studies
    options: AppOptions
    store: GuardedDatastore
    ledger: Ledger
    classes: TaskClasses
    volumes: VolumeCache = field(default_factory=VolumeCache)

    def __post_init__(self) -> None:
        own = self.studies.own
        self.store.audit = AuditLog(self.studies.audit_file)
        self.drafts = Drafts(own / "drafts")
        self.served = Served(own / "served", self.options.lease_minutes)
        self.scores = Notes(own / "scores")
        self.organs = Notes(own / "organs")
        self.contents = Notes(own / "contents")
        self.known = KnownScores(self.scores, self.organs, self.contents)
        self.models = ModelFolder(own / "models")
        self.predicting = Predicting(self.models, self.options.device, self.options.memory_gb)
        self._newest_drafts: dict[str, Draft] = {}

    def grid(self, image_id: str) -> Grid:
        """Shape and affine of an image. Raises InputError if the file is broken."""
        return self.volumes.grid(self._path(image_id))

    def volume(self, image_id: str) -> Volume:
        """An image. Raises InputError if the file is broken."""
        return self.volumes.volume(self._path(image_id))

    def propagated(
        self,
        image_id: str,
        propagator: str | None = None,
        *,
        range_slices: int | None = None,
        joined: bool = False,
    ) -> Draft:
        """The image's planes carried through the volume.

        Args:
            image_id: of the store.
            propagator: other than the one of ``--conf propagator``.
            range_slices: only so many slices to each side of a plane; None = all.
            joined: with the published network's opinion, if there is one of the same classes.

        Raises:
            NotReadyError: no plane has been annotated yet.
            InputError: the image is broken or the propagator unknown.
        """
        chosen = propagator or self.options.propagator
        standing = self.ledger.standing(image_id)
        model = self.models.published() if joined else None
        version = "alone" if model is None else model.version
        state = f"{standing.revision} {chosen} {range_slices} {version}"
        known = self._newest_drafts.get(image_id)
        if known is not None and known.state == state:
            return known
        sparse = self.ledger.sparse_label(image_id, self.classes.names)
        volume = self.volume(image_id)
        names = self.classes.names
        network = self.predicting.probabilities(model, volume, names) if model else None
        found = propagate_within(
            volume.data,
            sparse,
            spacing_mm=volume.spacing_mm,
            class_count=len(names),
            memory_gb=self.options.memory_gb or SHARE * free_memory_gb(),
            propagator=chosen,
            range_slices=range_slices,
            network_probabilities=network,
        )
        heard = network if found.factors == (1, 1, 1) else None
        agreed = None if heard is None else agreement(sparse, heard)
        source = propagated_source(len(standing.planes), agreed, found.remark)
        draft = Draft(found.classes, source, state)
        self._newest_drafts = {image_id: draft}  # one: a large CT's map has 150 MB
        return draft

    def draft(self, image_id: str) -> Draft | None:
        """The best label map there is: propagated, else predicted, else what was drawn, else none.

        A person's voxels are in each of them as they were drawn.
        """
        if self.ledger.standing(image_id).is_empty:
            return self.predicted(image_id)
        try:
            return self.propagated(image_id, joined=True)
        except (InputError, NotReadyError) as error:
            logger.warning("No propagated draft: %s", error)
        predicted = self.predicted(image_id)
        if predicted is not None:
            return self.with_what_was_drawn(image_id, predicted)
        drawn = self.ledger.sparse_label(image_id, self.classes.names)
        return Draft(drawn.classes, AS_DRAWN, self.ledger.standing(image_id).revision)

    def with_what_was_drawn(self, image_id: str, draft: Draft) -> Draft:
        """The draft with a person's voxels in it as they were drawn."""
        if self.ledger.standing(image_id).is_empty:
            return draft
        drawn = self.ledger.sparse_label(image_id, self.classes.names)
        classes = np.where(drawn.annotated, drawn.classes, draft.classes)
        return replace(draft, classes=classes, source=f"{draft.source}, what was drawn as drawn")

    def predicted(self, image_id: str) -> Draft | None:
        """The published network's answer, or None before the first training."""
        model = self.models.published()
        if model is None:
            return None
        prediction = self.predicting.predict(model, self.volume(image_id), self.classes.names)
        return Draft(prediction.classes, "predicted by the network", model.version)

    def remember_draft(self, image_id: str, classes: ClassMap, *, made_here: bool = True) -> None:
        """Keeps what a viewer is given, and what it tells about the organ."""
        grid = self.grid(image_id)
        self.drafts.add(image_id, classes, like=grid, made_here=made_here)
        organ = summarise_organ(classes, spacing_mm=grid.spacing_mm)
        if organ is not None:
            self.organs.write(image_id, organ.to_json())

    def offer_draft(self, image_id: str) -> str:
        """Puts a draft under the tag ``original``, where Slicer loads it; says which, or ``""``."""
        draft = self.draft(image_id)
        foreign = self._foreign_original(image_id)
        if foreign and (draft is None or draft.source == AS_DRAWN):
            return self._offer_foreign(image_id, foreign)
        if draft is None:
            return ""
        if foreign:
            self.store.store_label(image_id, foreign, IMPORTED, {})
        self.remember_draft(image_id, draft.classes)
        info: dict[str, Any] = {
            "params": {"label_names": label_names(draft.classes, self.classes.names)},
            "source": draft.source,
        }
        with tempfile.TemporaryDirectory(prefix="spss-") as folder:
            path = Path(folder) / "draft.nii.gz"
            write_label(path, draft.classes, like=self.grid(image_id))
            self.store.store_label(image_id, path, ORIGINAL, info)
        return draft.source

    def _foreign_original(self, image_id: str) -> Path | None:
        """A label under ``original`` that this app did not make, such as another tool's result.

        The index tells; after it was torn and rebuilt it does not, and the label itself does.
        """
        info = self.store.get_label_info(image_id, ORIGINAL)
        path = self.store.get_label_uri(image_id, ORIGINAL)
        if not path or info.keys() & {"source", "model"}:
            return None
        return None if self._is_own_draft(image_id, Path(path)) else Path(path)

    def _is_own_draft(self, image_id: str, path: Path) -> bool:
        try:
            classes = read_label(path, like=self.grid(image_id))
        except InputError:
            return False
        return self.drafts.made_here(image_id, classes)

    def _offer_foreign(self, image_id: str, path: Path) -> str:
        """Leaves it where Slicer loads it, and keeps in mind that corrections start from it."""
        try:
            classes = read_label(path, like=self.grid(image_id))
        except InputError as error:
            logger.warning("The label under 'original' cannot be used: %s", error)
            return ""
        self.remember_draft(image_id, classes, made_here=False)
        return "the label that was there"

    def image_states(self) -> tuple[list[ImageState], dict[str, str]]:
        """What the strategies know of each image, and why some cannot be used."""
        files = self.store.fetched_files()
        remote = sorted(set(self.store.list_images()) - files.keys())
        return read_states(self, files, remote[:_FETCHED_AT_ONCE])

    def _path(self, image_id: str) -> Path:
        self.store.object_of(image_id)
        return Path(self.store.get_image_uri(image_id))
