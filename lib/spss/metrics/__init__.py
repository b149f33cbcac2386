"""How close is a segmentation to the truth?  MONAI's metrics, with the empty cases decided."""

from spss.metrics.scores import METRICS, Scores, segmentation_scores
from spss.metrics.summary import Statistic, Summary, summarise

__all__ = ["METRICS", "Scores", "Statistic", "Summary", "segmentation_scores", "summarise"]
