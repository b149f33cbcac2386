"""Which volume, which plane next, and why: pure functions on small per-volume tables.

A server calls `summarise_organ` on each propagated draft, `score_planes` on each prediction, keeps
both results (they are JSON), and asks `suggest` with one `ImageState` a volume.
"""

from spss.suggestion.image_state import ImageState
from spss.suggestion.organ import OrganSummary, summarise_organ
from spss.suggestion.plane_scores import AxisScores, PlaneScores, score_planes
from spss.suggestion.strategies import STRATEGIES, list_strategies
from spss.suggestion.suggest import suggest
from spss.suggestion.suggestion import Suggestion

__all__ = [
    "STRATEGIES",
    "AxisScores",
    "ImageState",
    "OrganSummary",
    "PlaneScores",
    "Suggestion",
    "list_strategies",
    "score_planes",
    "suggest",
    "summarise_organ",
]
