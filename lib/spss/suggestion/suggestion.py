"""One question to the annotator: this volume, this plane, because."""

from __future__ import annotations

from dataclasses import dataclass

from spss.annotation import Plane


@dataclass(frozen=True)
class Suggestion:
    """A plane worth drawing.

    Attributes:
        image_id: the volume's name in the datastore.
        plane: on the voxel grid of the stored image.
        score: what the strategy ranked by, larger is more wanted; comparable only between
            suggestions of one strategy and one call.
        reason: one sentence for the annotator, built from the numbers.
    """

    image_id: str
    plane: Plane
    score: float
    reason: str
