"""The volumes that can be asked about, and where in each of them a plane is worth drawing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.suggestion.axis_choice import choose_axis
from spss.suggestion.diversity import Diversity
from spss.suggestion.image_state import ImageState
from spss.suggestion.organ import OrganSummary

GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio modulo 1 fill an interval evenly at every count."""

USUAL_AREA = 2.0
"""A prediction tells where a volume's organ lies only if its foreground area is within this factor
of the cohort's median: a young network also paints blobs elsewhere."""

UNKNOWN_ORGAN = (0.4, 0.6)
"""Where the organ's broad part is looked for before any draft: in the middle of what the image
shows, or of the volume where nobody has looked at the image."""

GAP_SHARE = 1 / 8
"""Planes nearer than this share of the organ's length to an annotated one are too close."""


@dataclass(frozen=True)
class Cohort:
    """All volumes of a task and the ones that are free to be suggested.

    Attributes:
        images: every volume, annotated and leased ones too: they say where the organ lies.
        free: positions in ``images`` that may be suggested.
        axis: the family of planes to draw.
        class_names: with background first; may be empty.
        drawn: planes annotated in the whole cohort so far.
        organ_share: first and last plane of the organ, then of its broad part, as shares of the
            volume's length: medians over drafts and predictions; None if there is none.
        usual_area_mm2: median foreground area of these on the middle planes; 0 if there is none.
    """

    images: Sequence[ImageState]
    free: tuple[int, ...]
    axis: int
    class_names: tuple[str, ...]
    drawn: int
    organ_share: tuple[float, float, float, float] | None
    usual_area_mm2: float

    @classmethod
    def of(
        cls,
        images: Sequence[ImageState],
        *,
        axis: int | None,
        excluded: Collection[str] = (),
        class_names: Sequence[str] = (),
    ) -> Cohort:
        """Args as for `suggest`; ``axis`` None chooses the family by `choose_axis`."""
        axis = choose_axis(images) if axis is None else axis
        drawn = sum(len(image.planes) for image in images)
        known = _where_organ_is_known(images)
        share = _organ_share(known, axis)
        areas = [image.organ.area_mm2[axis] for image in known if image.organ is not None]
        area = float(np.median(areas)) if areas else 0.0
        cohort = cls(images, (), axis, tuple(class_names), drawn, share, area)
        free = tuple(
            index
            for index, image in enumerate(images)
            if not image.dense
            and image.image_id not in excluded
            and (not image.planes or cohort.free_planes(image).size)
        )
        return replace(cohort, free=free)

    @property
    def is_organ_known(self) -> bool:
        """True if `extent` rests on at least one draft or prediction."""
        return self.organ_share is not None

    def extent(self, image: ImageState) -> tuple[int, int]:
        """First and last plane of the organ: the volume's own, else by the cohort's share."""
        if image.organ is not None and self._is_believed(image, image.organ):
            return image.organ.extent[self.axis]
        if self.organ_share:
            return self._shared(image, self.organ_share[:2])
        return self._content(image, (0.0, 1.0))

    def broad(self, image: ImageState) -> tuple[int, int]:
        """First and last plane of its broad part; the content's middle where nothing is known."""
        if image.organ is not None and self._is_believed(image, image.organ):
            return image.organ.broad[self.axis]
        if self.organ_share:
            return self._shared(image, self.organ_share[2:])
        return self._content(image, UNKNOWN_ORGAN)

    def free_planes(
        self, image: ImageState, *, within: Literal["broad", "organ", "volume"] = "broad"
    ) -> NDArray[np.int64]:
        """Plane indices far enough from annotated ones.

        Args:
            image: one of ``images``.
            within: the whole volume, the organ, or its broad part and, where that is used up, the
                rest of the organ.
        """
        annotated = np.asarray(image.annotated_indices(self.axis), np.int64)
        if within == "broad" and not annotated.size:  # most volumes: nothing to keep away from
            low, high = self.broad(image)
            return np.arange(low, high + 1)
        extent = self.extent(image)
        gap = max(1.0, GAP_SHARE * (extent[1] - extent[0] + 1))
        ranges = {
            "broad": [self.broad(image), extent],
            "organ": [extent],
            "volume": [(0, image.shape[self.axis] - 1)],
        }
        for low, high in ranges[within]:
            planes = np.arange(low, high + 1)
            planes = planes[_distance(planes, annotated) >= gap]
            if planes.size:
                return planes
        return np.zeros(0, np.int64)

    def middle_plane(self, image: ImageState, order: int) -> Plane:
        """The ``order``-th plane of an even spread over the organ's broad part.

        In a volume with annotated planes of this family, the one farthest from them.
        """
        planes = self.free_planes(image)
        annotated = np.asarray(image.annotated_indices(self.axis), np.int64)
        if annotated.size:
            return Plane(self.axis, int(planes[_distance(planes, annotated).argmax()]))
        share = (0.5 + order * GOLDEN) % 1.0
        return Plane(self.axis, int(planes[int(share * planes.size)]))

    def _is_believed(self, image: ImageState, organ: OrganSummary) -> bool:
        """True for drafts, and for predictions that place the organ as the cohort's drafts do."""
        if image.planes or self.organ_share is None:
            return True
        area, usual = organ.area_mm2[self.axis], self.usual_area_mm2
        low, high = self._shared(image, self.organ_share[:2])
        first, last = organ.broad[self.axis]
        inside = low <= first and last <= high
        return inside and usual / USUAL_AREA <= area <= usual * USUAL_AREA

    def _shared(self, image: ImageState, shares: tuple[float, ...]) -> tuple[int, int]:
        last = image.shape[self.axis] - 1
        return (round(shares[0] * last), round(shares[1] * last))

    def _content(self, image: ImageState, shares: tuple[float, float]) -> tuple[int, int]:
        if image.content is None:
            return self._shared(image, shares)
        low, high = image.content[self.axis]
        return (round(low + shares[0] * (high - low)), round(low + shares[1] * (high - low)))

    def diversity(self) -> Diversity:
        """How unlike the volumes with annotations each volume is."""
        touched = [index for index, image in enumerate(self.images) if image.is_touched]
        return Diversity([image.features for image in self.images], touched)

    def class_name(self, value: int) -> str:
        """The class's name, ``class 3`` where names are not known."""
        return self.class_names[value] if value < len(self.class_names) else f"class {value}"


def _distance(planes: NDArray[np.int64], annotated: NDArray[np.int64]) -> NDArray[np.float64]:
    """Steps from each plane to the nearest annotated one; infinite if there is none."""
    if not annotated.size:
        return np.full(planes.shape, np.inf)
    return np.abs(planes[:, None] - annotated).min(axis=1).astype(np.float64)


def _where_organ_is_known(images: Sequence[ImageState]) -> list[ImageState]:
    """Volumes whose draft rests on a drawn plane; where there is none, those with a prediction."""
    known = [image for image in images if image.organ is not None]
    return [image for image in known if image.is_touched] or known


def _organ_share(
    images: Sequence[ImageState], axis: int
) -> tuple[float, float, float, float] | None:
    """Median of where the organ lies, as shares of the axis; None if nothing is known."""
    shares = [
        np.asarray([*image.organ.extent[axis], *image.organ.broad[axis]])
        / max(image.shape[axis] - 1, 1)
        for image in images
        if image.organ is not None
    ]
    if not shares:
        return None
    low, high, broad_low, broad_high = (float(value) for value in np.median(shares, axis=0))
    return (low, high, broad_low, broad_high)
