"""What a strategy may know about one volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.suggestion.content import Extent
from spss.suggestion.organ import OrganSummary
from spss.suggestion.plane_scores import PlaneScores
from spss.types import Affine, Shape, SpacingMm


@dataclass(frozen=True)
class ImageState:
    """One volume as the strategies see it: small tables, never voxels.

    Attributes:
        image_id: the volume's name in the datastore.
        shape: ``(I, J, K)`` of the stored image.
        spacing_mm: millimetres between voxels along each stored axis.
        affine: voxel index to RAS mm, for the anatomical names in reasons; None says "axis 0".
        planes: the planes annotated so far.
        dense: True if every voxel is annotated; such a volume is never suggested.
        scores: from `score_planes` on the published model's prediction; None before that.
        organ: from `summarise_organ` on the propagated draft where a plane is drawn, else on the
            newest prediction; None if there is neither.
        stale: True if the scores are of a network before the published one; reasons say so.
        features: ``(F,)`` float32 from `volume_features`, to tell which volumes are alike.
        content: from `summarise_content`: where anything is to be seen; stands in for the organ.
    """

    image_id: str
    shape: Shape
    spacing_mm: SpacingMm
    affine: Affine | None = None
    planes: tuple[Plane, ...] = ()
    dense: bool = False
    scores: PlaneScores | None = None
    organ: OrganSummary | None = None
    stale: bool = False
    features: NDArray[np.float32] | None = None
    content: Extent | None = None

    @property
    def is_touched(self) -> bool:
        """True if anything in the volume is annotated."""
        return self.dense or bool(self.planes)

    def annotated_indices(self, axis: int) -> tuple[int, ...]:
        """Indices of the annotated planes along ``axis``."""
        return tuple(plane.index for plane in self.planes if plane.axis == axis)

    def plane_name(self, plane: Plane) -> str:
        """``sagittal plane 17``, or ``plane 17 along axis 0`` where orientation is unknown."""
        if self.affine is None:
            return f"plane {plane.index} along axis {plane.axis}"
        return f"{plane.anatomical_name(self.affine)} plane {plane.index}"
