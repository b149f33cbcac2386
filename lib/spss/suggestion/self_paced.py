"""The strategies that look at a network's scores: ``self_paced`` and ``entropy``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.suggestion.cohort import Cohort
from spss.suggestion.positions import strided
from spss.suggestion.reasons import Standing, score_reason
from spss.suggestion.suggestion import Suggestion

PLANES_PER_POWER = 10.0
"""Drawn planes after which beta, the power that the score is raised to, has grown by one."""

SECOND_PLANE = 0.5
"""Factor on a plane's score for each plane its volume already has: they are alike, and a plane
in a new volume teaches more (Zhang et al., MIDL 2025, arXiv:2412.08081)."""

STRATIFIED_SHARE = 0.66
"""Share of the suggestions for which a class is drawn first, each alike, and only planes on which
it is the least certain class compete (ClaSP-PE, arXiv:2601.13677, section 3.1)."""

LIKENESS_FLOOR = 0.25
"""Factor on the score of a volume exactly like an annotated one; one as unlike as any has 1."""

COST_POWER = 0.25
"""Within a volume a plane's score is divided by its relative contour length to this power: a
quarter, since budgets are counted in planes and length is only part of what a plane costs."""

ANY_CLASS = 0


@dataclass(frozen=True)
class _Offers:
    """Each scored volume's best plane overall (column 0) and for each class (columns 1…).

    Attributes:
        images: ``(N,)`` positions in the cohort.
        worth: ``(N, 1 + classes)``; 0 where there is no such plane.
        plane: ``(N, 1 + classes)`` plane indices.
    """

    images: NDArray[np.int64]
    worth: NDArray[np.float64]
    plane: NDArray[np.int64]

    @classmethod
    def of(cls, cohort: Cohort, scored: list[int]) -> _Offers:
        """One row for each scored image, filled from what its planes are worth."""
        scores = [cohort.images[index].scores for index in scored]
        last = max(
            int(each.axes[cohort.axis].least_certain.max(initial=0)) for each in scores if each
        )
        worth = np.zeros((len(scored), 1 + last))
        plane = np.zeros((len(scored), 1 + last), np.int64)
        for row, index in enumerate(scored):
            _fill_row(cohort, index, worth[row], plane[row])
        return cls(np.asarray(scored, np.int64), worth, plane)


def self_paced(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """Asks where the model is least to be trusted; before there are scores, as `strided`.

    What self-paced training masks out as unreliable is what is worth asking about. Every scored
    volume offers the plane of its organ's broad part from which most of that could be mended (see
    `expected_gain`), for two suggestions of three that of a class drawn by lot. Volumes are drawn
    with a probability that grows with that gain, with how unlike they are to annotated ones and to
    those just chosen, and not taken from the top: there lie the outliers and, of a young network,
    the failures. The power noise of ClaSP-PE (arXiv:2601.13677): the largest log(gain) +
    Gumbel / beta wins, beta grows with planes drawn.
    """
    scored = [index for index in cohort.free if cohort.images[index].scores is not None]
    if not scored:
        return strided(cohort, count, rng)
    offers = _Offers.of(cohort, scored)
    diversity = cohort.diversity()
    beta = 1 + cohort.drawn / PLANES_PER_POWER
    trust = _trust(cohort, offers)
    open_rows = np.ones(len(scored), bool)
    suggestions: list[Suggestion] = []
    while len(suggestions) < count and open_rows.any():
        column = _column(offers, open_rows, rng)
        likeness = LIKENESS_FLOOR + (1 - LIKENESS_FLOOR) * diversity.weights()[offers.images]
        worth = offers.worth[:, column] * likeness
        keys = np.log(np.maximum(worth, 1e-9)) + rng.gumbel(size=worth.size) / beta
        row = int(np.where(open_rows, keys, -np.inf).argmax())
        standing = Standing(
            asks_more_than=float((offers.worth[:, ANY_CLASS] < offers.worth[row, column]).mean()),
            trust=float((trust < trust[row]).mean()),
            unlike=diversity.is_unlike(int(offers.images[row])),
        )
        suggestions.append(_suggestion(cohort, offers, row, column, standing))
        open_rows[row] = False
        diversity.add(int(offers.images[row]))
    return suggestions


def entropy(cohort: Cohort, count: int, rng: np.random.Generator) -> list[Suggestion]:
    """The volumes' planes of largest mean entropy, from the top; before scores, as `strided`."""
    offers = []
    for index in cohort.free:
        image = cohort.images[index]
        if image.scores is None:
            continue
        planes = cohort.free_planes(image, within="organ")
        values = image.scores.axes[cohort.axis].entropy[planes]
        if planes.size:
            offers.append((float(values.max()), index, int(planes[values.argmax()])))
    if not offers:
        return strided(cohort, count, rng)
    offers.sort(key=lambda offer: -offer[0])
    suggestions = []
    for value, index, place in offers[:count]:
        image, plane = cohort.images[index], Plane(cohort.axis, place)
        reason = f"the mean entropy around its least certain class is {value:.2f}"
        if image.stale:
            reason += " (by an earlier network: the newest is still scoring)"
        text = f"{image.plane_name(plane)}: {reason}"
        suggestions.append(Suggestion(image.image_id, plane, value, text))
    return suggestions


def _fill_row(
    cohort: Cohort, index: int, worth: NDArray[np.float64], plane: NDArray[np.int64]
) -> None:
    """The best plane of each class in one volume, and the best of all in the first column."""
    image = cohort.images[index]
    planes = cohort.free_planes(image)
    assert image.scores is not None  # the caller offers scored volumes only
    scores = image.scores.axes[cohort.axis]
    cost = scores.contour_mm[planes]
    values = scores.gain[planes].astype(np.float64) * SECOND_PLANE ** len(image.planes)
    if cost.any():
        relative = cost * (cost.size / float(cost.sum()))
        values /= np.minimum(np.maximum(relative, 0.25), 4.0) ** COST_POWER
    order = values.argsort(kind="stable")
    best = np.full(len(worth), -1)
    best[scores.least_certain[planes][order]] = order  # the last, largest, of a class stays
    best[ANY_CLASS] = values.argmax()
    found = best >= 0
    worth[found], plane[found] = values[best[found]], planes[best[found]]


def _column(offers: _Offers, open_rows: NDArray[np.bool_], rng: np.random.Generator) -> int:
    """A class that somebody offers a plane for, or any class."""
    if rng.random() >= STRATIFIED_SHARE:
        return ANY_CLASS
    offered = 1 + np.flatnonzero((offers.worth[open_rows, 1:] > 0).any(axis=0))
    return int(rng.choice(offered)) if offered.size else ANY_CLASS


def _trust(cohort: Cohort, offers: _Offers) -> NDArray[np.float64]:
    """1 - untrusted share of each volume's best plane."""
    shares = []
    for index, place in zip(offers.images, offers.plane[:, ANY_CLASS], strict=True):
        scores = cohort.images[index].scores
        assert scores is not None
        shares.append(1.0 - float(scores.axes[cohort.axis].untrusted[place]))
    return np.asarray(shares)


def _suggestion(
    cohort: Cohort, offers: _Offers, row: int, column: int, standing: Standing
) -> Suggestion:
    """The offer as a plane with its reason; a class without one falls back to the best of all."""
    if offers.worth[row, column] <= 0:
        column = ANY_CLASS
    image = cohort.images[int(offers.images[row])]
    plane = Plane(cohort.axis, int(offers.plane[row, column]))
    text = f"{image.plane_name(plane)}: {score_reason(cohort, image, plane, standing)}"
    return Suggestion(image.image_id, plane, float(offers.worth[row, column]), text)
