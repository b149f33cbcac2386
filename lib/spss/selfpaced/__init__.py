"""Which voxels may teach, and how much, as the student grows older (SU)."""

from spss.selfpaced.pace import Pace
from spss.selfpaced.selection import (
    boundary_voxels,
    select_class_blind,
    select_class_wise,
)
from spss.selfpaced.slowdown import Slowdown
from spss.selfpaced.uncertainty import TeacherOpinion, entropy, most_likely, teacher_opinion
from spss.selfpaced.weights import agreement_weights, hard_weights, linear_weights

__all__ = [
    "Pace",
    "Slowdown",
    "TeacherOpinion",
    "agreement_weights",
    "boundary_voxels",
    "entropy",
    "hard_weights",
    "linear_weights",
    "most_likely",
    "select_class_blind",
    "select_class_wise",
    "teacher_opinion",
]
