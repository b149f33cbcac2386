"""Better labels from two sources: what was propagated and what the teacher predicts."""

from spss.refinement.fusion import (
    fuse,
    reliability_teacher_share,
    scheduled_teacher_share,
)
from spss.refinement.holes import fill_holes
from spss.refinement.reach import beyond_reach
from spss.refinement.weights import disagreement_factor, distance_weights, plane_distance

__all__ = [
    "beyond_reach",
    "disagreement_factor",
    "distance_weights",
    "fill_holes",
    "fuse",
    "plane_distance",
    "reliability_teacher_share",
    "scheduled_teacher_share",
]
