"""Scoring task ``self_paced``: how much each plane of each image is worth asking about."""

from __future__ import annotations

import logging
from typing import Any

from monailabel.interfaces.tasks.scoring import ScoringMethod

from spss.errors import InputError, NotReadyError
from spss.suggestion.score_image import score_image
from spss_app.models import PublishedModel
from spss_app.project import Project
from spss_app.request_keys import Parser, device
from spss_app.scoring.progress import HeldOutProgress

logger = logging.getLogger(__name__)


class SelfPaced(ScoringMethod):
    """Predicts every image that is not complete, and keeps only its planes' scores."""

    def __init__(self, project: Project) -> None:
        super().__init__("Uncertainty of each plane by the published network, each class alike.")
        self.project = project
        self.progress = HeldOutProgress(project)

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say."""
        return {"device": device}

    def __call__(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Scores what the published network has not scored yet; says how much it did."""
        model = self.project.models.published()
        if model is None:
            return {"scored": 0, "message": "There is nothing to score before the first training."}
        self.progress.measure(model)  # few images, and what the advice to stop rests on
        skipped: dict[str, str] = {}
        scored = 0
        for image_id in self.unscored():
            try:
                self._score(image_id, model, request.get("device"))
                scored += 1
            except (InputError, NotReadyError, MemoryError) as error:
                skipped[image_id] = str(error)
                logger.warning("An image could not be scored: %s", error)
        return {"scored": scored, "skipped": skipped}

    def unscored(self) -> list[str]:
        """Images without scores of this network for the task's classes and the image's shape."""
        project = self.project
        states, broken = project.image_states()
        # of a broken image, scoring says what is wrong with it
        stale = [s.image_id for s in states if (s.scores is None or s.stale) and not s.dense]
        here = set(project.store.fetched_images())
        return sorted(here.intersection([*stale, *broken]))

    def _score(self, image_id: str, model: PublishedModel, device: str | None) -> None:
        """Scores every plane of one image, with what was carried through it where something was."""
        project = self.project
        volume = project.volume(image_id)
        names = project.classes.names
        draft = None
        if not project.ledger.standing(image_id).is_empty:
            draft = project.propagated(image_id).classes
        predictor = project.predicting.predictor(model, device or project.options.device)
        note, organ = score_image(
            predictor, volume, model=model.version, class_names=names, draft=draft
        )
        project.scores.write(image_id, note.to_json())
        if organ is not None:
            project.organs.write(image_id, organ.to_json())
