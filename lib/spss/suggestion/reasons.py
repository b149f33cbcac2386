"""Reasons in words, from the numbers a strategy ranked by."""

from __future__ import annotations

from dataclasses import dataclass

from spss.annotation import Plane
from spss.suggestion.cohort import Cohort
from spss.suggestion.image_state import ImageState
from spss.suggestion.plane_scores import AxisScores


def position_reason(cohort: Cohort, image: ImageState) -> str:
    """Why a plane through the broad part: what is known about the organ, what is drawn already."""
    if cohort.is_organ_known:
        where = "through the broad part of the organ as drafts and predictions show it"
    else:
        middle = "the image" if image.content is None else "what the image shows"
        where = f"through the middle of {middle}, since nothing is known about the organ yet"
    if not image.planes:
        return f"{where}; nothing is drawn in this volume"
    return f"{where}; far from this volume's {planes_text(len(image.planes))}"


@dataclass(frozen=True)
class Standing:
    """How a suggested plane stands among the others that could have been suggested.

    Attributes:
        asks_more_than: share of the volumes that offer less.
        trust: share of the volumes' offered planes that are trusted less than this one.
        unlike: True if no annotated volume looks like this one.
    """

    asks_more_than: float
    trust: float
    unlike: bool = False


def score_reason(cohort: Cohort, image: ImageState, plane: Plane, standing: Standing) -> str:
    """Why a scored plane: its least certain class, disagreement, rank, nearest plane, likeness.

    Args:
        cohort: the volumes of the task.
        image: the suggested one, with scores.
        plane: the suggested plane.
        standing: among the other offers.
    """
    parts = []
    if image.scores is not None:
        parts += _numbers(image.scores.axes[plane.axis], plane.index, cohort, standing)
    parts.append(f"more to ask than in {standing.asks_more_than:.0%} of the volumes")
    parts.append(_nearest(image, plane))
    if standing.unlike:
        parts.append("no annotated volume looks like this one")
    if image.stale:
        parts.append("these numbers are of an earlier network: the newest is still scoring")
    return "; ".join(parts)


def ordinal(number: int) -> str:
    """``1st``, ``12th``, ``23rd``."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def planes_text(count: int) -> str:
    """``no plane``, ``one plane``, ``2 planes``."""
    return {0: "no plane", 1: "one plane"}.get(count, f"{count} planes")


def _numbers(scores: AxisScores, index: int, cohort: Cohort, standing: Standing) -> list[str]:
    """What the scores say of a plane, each as a phrase with its number."""
    parts = []
    value = int(scores.least_certain[index])
    if value:
        trust = ordinal(round(100 * standing.trust))
        parts.append(
            f"{cohort.class_name(value)} is uncertain here "
            f"(entropy {scores.entropy[index]:.2f}, {trust} percentile of trust)"
        )
        parts.append(f"expected Dice {1 - scores.expected_error[index]:.2f}")
        parts.append(f"drawing it could raise the volume's by up to {scores.gain[index]:.2f}")
    else:
        parts.append("nothing is predicted on this plane")
    if scores.disagreement[index] > 0:
        share = scores.disagreement[index]
        parts.append(f"propagation and network differ on {share:.0%} of the foreground")
    return parts


def _nearest(image: ImageState, plane: Plane) -> str:
    """How far the plane is from what a person has drawn."""
    if not image.planes:
        return "nothing is drawn in this volume"
    annotated = image.annotated_indices(plane.axis)
    if not annotated:
        return "no plane of this direction is drawn in this volume"
    nearest = min(abs(plane.index - index) for index in annotated)
    return f"no drawn plane within {nearest * image.spacing_mm[plane.axis]:.0f} mm"
