"""The ways to choose the next planes. Each gives planes of different volumes, best first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.suggestion.cohort import Cohort
from spss.suggestion.image_state import ImageState
from spss.suggestion.reasons import planes_text, position_reason, score_reason
from spss.suggestion.suggestion import Suggestion

Strategy = Callable[[Cohort, int, np.random.Generator], list[Suggestion]]

PLANES_PER_POWER = 10.0
"""Drawn planes after which beta, the power that the score is raised to, has grown by one."""

SECOND_PLANE = 0.5
"""Factor on a plane's score for each plane its volume already has: they are alike, and a plane
in a new volume teaches more (Zhang et al., MIDL 2025, arXiv:2412.08081)."""


def self_paced(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """Asks where the model is least to be trusted; before there are scores, as `strided`.

    What self-paced training masks out as unreliable is what is worth asking about. Every scored
    volume offers the best-scored plane of its organ's broad part. Volumes are drawn with a
    probability that grows with the score, not taken from the top: there lie the outliers and, of a
    young network, the failures. The power noise of ClaSP-PE (arXiv:2601.13677): the largest
    log(score) + Gumbel / beta wins, and beta grows with the planes drawn.
    """
    scored = [index for index in cohort.free if cohort.images[index].scores is not None]
    if not scored:
        return strided(cohort, count, rng)
    offers = [_best_offer(cohort, index) for index in scored]
    worths = np.asarray([worth for worth, _, _ in offers])
    beta = 1 + cohort.drawn / PLANES_PER_POWER
    keys = np.log(np.maximum(worths, 1e-6)) + rng.gumbel(size=worths.size) / beta
    suggestions = []
    for chosen in np.argsort(-keys)[:count]:
        worth, index, plane = offers[chosen]
        image = cohort.images[index]
        reason = score_reason(cohort, image, plane, float((worths < worth).mean()))
        suggestions.append(_named(image, plane, worth, reason))
    return suggestions


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
        planes = cohort.free_planes(image, whole=True)
        plane = Plane(cohort.axis, int(rng.choice(planes)))
        suggestions.append(_named(image, plane, 1.0, "drawn by lot"))
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


STRATEGIES: dict[str, Strategy] = {
    "self_paced": self_paced,
    "strided": strided,
    "random": random,
    "first": first,
}
"""Name → strategy, the default first."""


def list_strategies() -> tuple[str, ...]:
    """The names `suggest` takes, the default first."""
    return tuple(STRATEGIES)


def _named(image: ImageState, plane: Plane, score: float, reason: str) -> Suggestion:
    return Suggestion(image.image_id, plane, score, f"{image.plane_name(plane)}: {reason}")


def _best_offer(cohort: Cohort, index: int) -> tuple[float, int, Plane]:
    image = cohort.images[index]
    planes = cohort.free_planes(image)
    assert image.scores is not None  # the caller offers scored volumes only
    scores = image.scores.axes[cohort.axis].score[planes]
    best = int(scores.argmax())
    worth = float(scores[best]) * SECOND_PLANE ** len(image.planes)
    return (worth, index, Plane(cohort.axis, int(planes[best])))


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
