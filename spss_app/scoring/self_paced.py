"""Scoring task ``self_paced``: how much each plane of each image is worth asking about."""

from __future__ import annotations

import logging
from typing import Any

from monailabel.interfaces.tasks.scoring import ScoringMethod

from spss.errors import InputError, NotReadyError
from spss.suggestion import score_planes, summarise_organ
from spss_app.models import PublishedModel
from spss_app.project import Project
from spss_app.request_keys import Parser, device

logger = logging.getLogger(__name__)


class SelfPaced(ScoringMethod):
    """Predicts every image that is not complete, and keeps only its planes' scores."""

    def __init__(self, project: Project) -> None:
        super().__init__("Uncertainty of each plane by the published network, each class alike.")
        self.project = project

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say."""
        return {"device": device}

    def __call__(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Scores what the published network has not scored yet; says how much it did."""
        model = self.project.models.published()
        if model is None:
            return {"scored": 0, "message": "There is nothing to score before the first training."}
        skipped: dict[str, str] = {}
        scored = 0
        for image_id in self.unscored(model):
            try:
                self._score(image_id, model, request.get("device"))
                scored += 1
            except (InputError, NotReadyError, MemoryError) as error:
                skipped[image_id] = str(error)
                logger.warning("An image could not be scored: %s", error)
        return {"scored": scored, "skipped": skipped}

    def unscored(self, model: PublishedModel) -> list[str]:
        """Images whose scores come from an earlier network, or that have none."""
        return [
            image_id
            for image_id in self.project.store.fetched_images()
            if self.project.scores.read(image_id).get("model") != model.version
            and not self.project.ledger.standing(image_id).dense
        ]

    def _score(self, image_id: str, model: PublishedModel, device: str | None) -> None:
        project = self.project
        volume = project.volume(image_id)
        names = project.classes.names
        prediction = project.predicting.predict(
            model, volume, names, uncertainty=True, device=device
        )
        draft = None
        if not project.ledger.standing(image_id).is_empty:
            draft = project.propagated(image_id).classes
        scores = score_planes(
            prediction.classes,
            prediction.uncertainty,
            spacing_mm=volume.spacing_mm,
            class_count=len(names),
            draft=draft,
        )
        project.scores.write(image_id, {"model": model.version, "scores": scores.to_json()})
        # what a person drew places the organ better than a young network does
        seen = prediction.classes if draft is None else draft
        organ = summarise_organ(seen, spacing_mm=volume.spacing_mm)
        if organ is not None:
            project.organs.write(image_id, organ.to_json())
