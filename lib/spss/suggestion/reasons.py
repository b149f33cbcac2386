"""Reasons in words, from the numbers a strategy ranked by."""

from __future__ import annotations

from spss.annotation import Plane
from spss.suggestion.cohort import Cohort
from spss.suggestion.image_state import ImageState
from spss.suggestion.plane_scores import AxisScores


def position_reason(cohort: Cohort, image: ImageState) -> str:
    """Why a plane through the broad part: what is known about the organ, what is drawn already."""
    if cohort.is_organ_known:
        where = "through the broad part of the organ as drafts and predictions show it"
    else:
        where = "through the middle of the image, since nothing is known about the organ yet"
    if not image.planes:
        return f"{where}; nothing is drawn in this volume"
    return f"{where}; far from this volume's {planes_text(len(image.planes))}"


def score_reason(cohort: Cohort, image: ImageState, plane: Plane, asks_more_than: float) -> str:
    """Why a scored plane: its least certain class, disagreement, rank and nearest plane.

    Args:
        cohort: the volumes of the task.
        image: the suggested one, with scores.
        plane: the suggested plane.
        asks_more_than: share of the other volumes that offer less.
    """
    parts = []
    if image.scores is not None:
        parts += _numbers(image.scores.axes[plane.axis], plane.index, cohort)
    parts.append(f"more to ask than in {asks_more_than:.0%} of the volumes")
    parts.append(_nearest(image, plane))
    return "; ".join(parts)


def planes_text(count: int) -> str:
    """``no plane``, ``one plane``, ``2 planes``."""
    return {0: "no plane", 1: "one plane"}.get(count, f"{count} planes")


def _numbers(scores: AxisScores, index: int, cohort: Cohort) -> list[str]:
    parts = []
    value = int(scores.least_certain[index])
    if value:
        entropy = scores.entropy[index]
        parts.append(f"{cohort.class_name(value)} is uncertain here (entropy {entropy:.2f})")
    else:
        parts.append("nothing is predicted on this plane")
    if scores.disagreement[index] > 0:
        share = scores.disagreement[index]
        parts.append(f"propagation and network differ on {share:.0%} of the foreground")
    return parts


def _nearest(image: ImageState, plane: Plane) -> str:
    if not image.planes:
        return "nothing is drawn in this volume"
    annotated = image.annotated_indices(plane.axis)
    if not annotated:
        return "no plane of this direction is drawn in this volume"
    nearest = min(abs(plane.index - index) for index in annotated)
    return f"the nearest drawn plane is {nearest * image.spacing_mm[plane.axis]:.0f} mm away"
