"""A dense label map for an annotator to start from, and where it comes from in words."""

from __future__ import annotations

from dataclasses import dataclass

from spss.propagation.joining import NEEDED_AGREEMENT
from spss.types import ClassMap

AS_DRAWN = "as drawn"
"""Source of a draft that holds what was drawn and nothing else."""


@dataclass(frozen=True)
class Draft:
    """A dense label map for an annotator to start from.

    Attributes:
        classes: ``(I, J, K)`` uint8 on the image's grid.
        source: in words, such as "propagated from 3 planes".
        state: what it was made from (ledger revision, model version); the same state gives the
            same draft.
    """

    classes: ClassMap
    source: str
    state: str


def propagated_source(planes: int, agreed: float | None, remark: str) -> str:
    """What a propagated draft was made from.

    Args:
        planes: how many were drawn.
        agreed: Dice with what was drawn of the network that was to join; None without one.
        remark: on how it was propagated.
    """
    parts = [f"propagated from {planes} plane{'' if planes == 1 else 's'}"]
    if agreed is not None:
        parts.append(_joined(agreed))
    return ", ".join([*parts, remark] if remark else parts)


def _joined(agreed: float) -> str:
    if agreed >= NEEDED_AGREEMENT:
        return "joined with the network"
    if agreed == 0:
        return "not joined with the network, which sees nothing of what was drawn"
    return f"joined with the network as far as it agrees with what was drawn (Dice {agreed:.2f})"
