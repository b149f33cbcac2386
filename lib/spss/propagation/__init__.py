"""Plane to volume: propagators, where to stop, fusion, reliability."""

from spss.propagation.crossing import combine_planes
from spss.propagation.extent import UNFITTED_END_RULE
from spss.propagation.propagate import propagate
from spss.propagation.pseudo_label import PseudoLabel
from spss.propagation.registry import PROPAGATORS, list_propagators

__all__ = [
    "PROPAGATORS",
    "UNFITTED_END_RULE",
    "PseudoLabel",
    "combine_planes",
    "list_propagators",
    "propagate",
]
