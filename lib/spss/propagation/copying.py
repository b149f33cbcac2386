"""Repeats the drawn slice: what everything else has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class CopyPropagator:
    """Says that every slice looks like the drawn one."""

    name = "copy"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        return [_copy(stack, each) for each in drawn]


def _copy(stack: Stack, drawn: DrawnSlice) -> Carried:
    """The drawn slice on every slice up to the ends it is carried to."""
    probabilities = np.zeros((drawn.one_hot.shape[0], *stack.shape), np.float32)
    probabilities[:, drawn.first : drawn.last + 1] = drawn.one_hot[:, None]
    image = stack.slices[drawn.index]
    warped = np.repeat(image[None], stack.shape[0], axis=0)
    return Carried(probabilities=probabilities, warped=warped)
