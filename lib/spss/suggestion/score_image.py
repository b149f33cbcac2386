"""One image through the network: its planes' scores, its features, and where its organ lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spss.annotation import rename_classes
from spss.suggestion.features import volume_features
from spss.suggestion.organ import OrganSummary, summarise_organ
from spss.suggestion.score_note import ScoreNote
from spss.suggestion.scoring import score_planes
from spss.types import ClassMap
from spss.volumes import Volume

if TYPE_CHECKING:
    from spss.inference import Prediction, Predictor


def score_image(
    predictor: Predictor,
    volume: Volume,
    *,
    model: str,
    class_names: Sequence[str],
    draft: ClassMap | None = None,
    prediction: Prediction | None = None,
) -> tuple[ScoreNote, OrganSummary | None]:
    """Predicts one image and keeps only what `suggest` needs.

    Args:
        predictor: loaded network.
        volume: the image.
        model: version or digest of the network, to tell old scores from new ones.
        class_names: of the task, background first.
        draft: ``(I, J, K)`` what propagation made of the image's annotated planes, if any. It also
            places the organ then: what a person drew does so better than a young network.
        prediction: of this image with its uncertainty, where the caller has it already.

    Returns:
        The scores, and the organ's place; None where nothing is predicted.

    Raises:
        InputError: the image is constant, or the network knows a class that the task has not.
    """
    prediction = prediction or predictor.predict(volume, uncertainty=True)
    classes = rename_classes(prediction.classes, predictor.class_names, class_names)
    scores = score_planes(
        classes,
        prediction.uncertainty,
        spacing_mm=volume.spacing_mm,
        class_count=len(class_names),
        draft=draft,
    )
    features = volume_features(predictor, volume)
    note = ScoreNote(model, tuple(class_names), scores, features)
    seen = classes if draft is None else draft
    return note, summarise_organ(seen, spacing_mm=volume.spacing_mm)
