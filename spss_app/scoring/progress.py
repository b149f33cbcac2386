"""How good each network was on held-out volumes: what the advice to go on or to stop rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spss.errors import InputError, NotReadyError
from spss.suggestion import Advice, Progress, advise, estimate_dice
from spss_app.models import PublishedModel
from spss_app.notes import Notes
from spss_app.train.gate import annotated_dice

if TYPE_CHECKING:
    from spss_app.project import Project

_NOTE = "held-out"
_KEPT = 200


class HeldOutProgress:
    """One line a published network: planes it was trained on, Dice of each held-out image."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._notes = Notes(project.studies.own / "progress")

    def measure(self, model: PublishedModel) -> None:
        """Predicts the images held out from this network's training, once a network."""
        known = self._lines()
        if any(line.get("model") == model.version for line in known):
            return
        dice = self._dice(model)
        if not dice:
            return
        trained_on = model.record.get("trained_on", [])
        line = {"model": model.version, "planes": self._planes(trained_on), "dice": dice}
        self._notes.write(_NOTE, {"networks": [*known, line][-_KEPT:]})

    def advice(self, *, next_planes: int = 5) -> Advice | None:
        """What the next planes promise; None before anything was measured."""
        lines = self._lines()
        if not lines:
            return None
        history = [Progress(line["planes"], _mean(line["dice"])) for line in lines]
        return advise(history, next_planes=next_planes, estimate=estimate_dice(lines[-1]["dice"]))

    def _lines(self) -> list[dict[str, Any]]:
        lines = self._notes.read(_NOTE).get("networks", [])
        return [line for line in lines if isinstance(line, dict) and line.keys() >= _KEYS]

    def _dice(self, model: PublishedModel) -> dict[str, float]:
        """Of a network on the images that it was not trained on."""
        project, names = self._project, self._project.classes.names
        dice = {}
        for image_id in model.record.get("held_out", []):
            try:
                truth = project.ledger.sparse_label(image_id, names)
                volume = project.volume(image_id)
                predicted = project.predicting.predict(model, volume, names).classes
            except (InputError, NotReadyError):
                continue  # removed or withdrawn since
            value = annotated_dice(predicted, truth, len(names))
            if not math.isnan(value):
                dice[image_id] = value
        return dice

    def _planes(self, image_ids: list[str]) -> int:
        """Planes in the images trained on; a dense one counts as all of its shortest family."""
        count = 0
        for image_id in image_ids:
            standing = self._project.ledger.standing(image_id)
            try:
                shape = self._project.grid(image_id).shape
            except (InputError, NotReadyError):
                continue
            count += min(shape) if standing.dense else len(standing.planes)
        return count


_KEYS = {"model", "planes", "dice"}


def _mean(dice: Mapping[str, float]) -> float:
    return sum(dice.values()) / len(dice) if dice else math.nan
