"""What scoring leaves behind of one volume, and whether it may still be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.suggestion.plane_scores import DECIMALS, PlaneScores
from spss.types import Shape


@dataclass(frozen=True)
class ScoreNote:
    """One volume's scores and where they come from; a few kilobytes of JSON, no voxels.

    Attributes:
        model: version or digest of the network that predicted.
        class_names: of the task then, background first: the scores name classes by number.
        scores: of every plane.
        features: from `volume_features`; None if they were not taken.
    """

    model: str
    class_names: tuple[str, ...]
    scores: PlaneScores
    features: NDArray[np.float32] | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads."""
        features = None if self.features is None else self.features.astype(float)
        return {
            "model": self.model,
            "classes": list(self.class_names),
            "scores": self.scores.to_json(),
            "features": None if features is None else np.round(features, DECIMALS).tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScoreNote:
        """Raises InputError if ``data`` is not what `to_json` wrote."""
        try:
            features = data["features"]
            return cls(
                str(data["model"]),
                tuple(str(name) for name in data["classes"]),
                PlaneScores.from_json(data["scores"]),
                None if features is None else np.asarray(features, np.float32).reshape(-1),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"Not the scores of an image ({error!r}): delete the file, it is computed anew."
            raise InputError(msg) from error

    def why_unusable(self, class_names: Sequence[str], shape: Shape) -> str:
        """Why these scores say nothing of the image any more; empty if they do.

        Scores of another model are usable, as long as that is said (`ImageState.stale`).

        Args:
            class_names: of the task now.
            shape: of the image now.
        """
        if self.class_names != tuple(class_names):
            return (
                f"the scores are for the classes {', '.join(self.class_names)}, the task now has "
                f"{', '.join(class_names)}"
            )
        if not self.scores.fits(shape):
            return f"the scores are of an image of another shape than {tuple(shape)}"
        return ""
