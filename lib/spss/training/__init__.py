"""The engine that turns volumes and sparse labels into a model."""

from spss.training.case import TrainingCase
from spss.training.options import TrainingOptions, TrainingResult
from spss.training.plan import Plan, make_plan
from spss.training.train import train

__all__ = ["Plan", "TrainingCase", "TrainingOptions", "TrainingResult", "make_plan", "train"]
