"""The strategies that look at no score: by position in the volume and in the list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.suggestion.cohort import Cohort
from spss.suggestion.image_state import ImageState
from spss.suggestion.reasons import planes_text, position_reason
from spss.suggestion.suggestion import Suggestion


def strided(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """Planes through the organ's broad part, in volumes far apart in the list; new ones first."""
    suggestions = []
    for order, index in enumerate(_spread(cohort, count, rng)):
        image = cohort.images[index]
        plane = cohort.middle_plane(image, cohort.drawn + order)
        reason = position_reason(cohort, image)
        suggestions.append(_named(image, plane, 1 / (1 + len(image.planes)), reason))
    return suggestions


def random(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """Any volume, any plane of the family: the baseline that looks at nothing."""
    suggestions = []
    for index in rng.permutation(np.asarray(cohort.free, np.int64))[:count]:
        image = cohort.images[index]
        planes = cohort.free_planes(image, within="volume")
        plane = Plane(cohort.axis, int(rng.choice(planes)))
        suggestions.append(_named(image, plane, 1.0, "drawn by lot"))
    return suggestions


def foreground_random(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """Any volume, any plane through the organ: the baseline that is hard to beat.

    nnActive (arXiv:2511.19183) draws inside the true foreground; here the organ lies where drafts
    and predictions show it, since nobody knows the truth beforehand.
    """
    suggestions = []
    for index in rng.permutation(np.asarray(cohort.free, np.int64))[:count]:
        image = cohort.images[index]
        planes = cohort.free_planes(image, within="organ")
        plane = Plane(cohort.axis, int(rng.choice(planes)))
        known = "through the organ" if cohort.is_organ_known else "where the image shows anything"
        suggestions.append(_named(image, plane, 1.0, f"drawn by lot {known}"))
    return suggestions


def first(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """The volumes in their order, mid-organ planes; new volumes first."""
    del rng
    ordered = sorted(cohort.free, key=lambda index: len(cohort.images[index].planes))
    suggestions = []
    for index in ordered[:count]:
        image = cohort.images[index]
        plane = cohort.middle_plane(image, 0)
        reason = f"the first volume of the list with {planes_text(len(image.planes))}"
        suggestions.append(_named(image, plane, 1 / (1 + len(image.planes)), reason))
    return suggestions


def _named(image: ImageState, plane: Plane, score: float, reason: str) -> Suggestion:
    return Suggestion(image.image_id, plane, score, f"{image.plane_name(plane)}: {reason}")


def _spread(cohort: Cohort, count: int, rng: np.random.Generator) -> list[int]:
    """Free volumes with the fewest planes, each far in the list from those touched before it."""
    planes_of = np.asarray([len(image.planes) for image in cohort.images])
    touched = [index for index, image in enumerate(cohort.images) if image.is_touched]
    remaining = np.asarray(cohort.free, np.int64)
    chosen: list[int] = []
    while remaining.size and len(chosen) < count:
        pool = remaining[planes_of[remaining] == planes_of[remaining].min()]
        if touched:
            distance = _list_distance(pool, np.sort(touched))
            pool = pool[distance == distance.max()]
        pick = int(rng.choice(pool))
        chosen.append(pick)
        touched.append(pick)
        remaining = remaining[remaining != pick]
    return chosen


def _list_distance(pool: NDArray[np.int64], touched: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps in the list from each of ``pool`` to the nearest of the sorted ``touched``."""
    right = np.searchsorted(touched, pool)
    after = np.abs(touched[np.minimum(right, touched.size - 1)] - pool)
    before = np.abs(touched[np.maximum(right - 1, 0)] - pool)
    return np.minimum(after, before)
