"""The published network, kept loaded between requests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spss.annotation import rename_classes
from spss.types import Probabilities
from spss.volumes import Volume, is_constant
from spss_app.models import ModelFolder, PublishedModel

if TYPE_CHECKING:
    from spss.inference import Prediction, Predictor

logger = logging.getLogger(__name__)


class Predicting:
    """Loads a version once and answers with it until another one is published."""

    def __init__(self, models: ModelFolder, device: str, memory_gb: float = 0.0) -> None:
        self._models = models
        self._device = device
        self._memory_gb = memory_gb or None
        self._loaded: tuple[str, str, Predictor] | None = None

    def predict(
        self,
        model: PublishedModel,
        volume: Volume,
        class_names: Sequence[str],
        *,
        uncertainty: bool = False,
        device: str | None = None,
    ) -> Prediction:
        """The network's answer on the volume's own grid, numbered by ``class_names``.

        Raises:
            InputError: the network knows a class that the task no longer has.
        """
        from dataclasses import replace

        predictor = self.predictor(model, device or self._device)
        prediction = predictor.predict(volume, uncertainty=uncertainty)
        for remark in prediction.remarks:
            logger.info(remark)
        classes = rename_classes(prediction.classes, predictor.class_names, class_names)
        return replace(prediction, classes=classes)

    def probabilities(
        self, model: PublishedModel, volume: Volume, class_names: Sequence[str]
    ) -> Probabilities | None:
        """``(C, I, J, K)`` in the order of ``class_names``.

        None if there is no opinion to join: the network knows other classes, the image is
        constant, or all its classes and voxels do not fit the memory at once.
        """
        if is_constant(volume.data):
            return None
        predictor = self.predictor(model, self._device)
        known = list(predictor.class_names)
        if sorted(known) != sorted(class_names):
            return None
        plan = predictor.memory_plan(volume.shape, volume.shape, probabilities=True)
        if plan.peak_gb > plan.budget_gb:
            logger.info("The network's opinion is left out. %s", plan.in_words())
            return None
        found = predictor.predict(volume, probabilities=True).probabilities
        if found is None or known == list(class_names):
            return found
        return found[[known.index(name) for name in class_names]]

    def predictor(self, model: PublishedModel, device: str) -> Predictor:
        """The loaded network of a version."""
        from spss.inference import Predictor

        if self._loaded is None or self._loaded[:2] != (model.version, device):
            predictor = Predictor.load(model.folder, device=device, memory_gb=self._memory_gb)
            self._loaded = (model.version, device, predictor)
        return self._loaded[2]
