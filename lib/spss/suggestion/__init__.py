"""Which volume, which plane next, and why: pure functions on small per-volume tables.

A server calls `summarise_organ` on each propagated draft, `score_planes` and `volume_features` on
each prediction, keeps the results (they are JSON), and asks `suggest` with one `ImageState` a
volume. `advise` says when asking for more planes stops paying.
"""

from spss.suggestion.advice import Advice, Estimate, Progress, advise, estimate_dice
from spss.suggestion.content import summarise_content
from spss.suggestion.features import volume_features
from spss.suggestion.image_state import ImageState
from spss.suggestion.organ import OrganSummary, summarise_organ
from spss.suggestion.plane_scores import AxisScores, PlaneScores
from spss.suggestion.score_note import ScoreNote
from spss.suggestion.scoring import score_planes
from spss.suggestion.strategies import DEFAULT_STRATEGY, STRATEGIES, list_strategies
from spss.suggestion.suggest import suggest
from spss.suggestion.suggestion import Suggestion

__all__ = [
    "DEFAULT_STRATEGY",
    "STRATEGIES",
    "Advice",
    "AxisScores",
    "Estimate",
    "ImageState",
    "OrganSummary",
    "PlaneScores",
    "Progress",
    "ScoreNote",
    "Suggestion",
    "advise",
    "estimate_dice",
    "list_strategies",
    "score_planes",
    "suggest",
    "summarise_content",
    "summarise_organ",
    "volume_features",
]
