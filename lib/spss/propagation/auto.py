"""The default: optical flow, with shape interpolation where drawn slices are near each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from spss.propagation.distance import DistancePropagator
from spss.propagation.flow import FlowPropagator
from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class AutoPropagator:
    """Flow, blended with signed-distance interpolation in short gaps.

    At gaps of four slices interpolation is as good as registration, and it knows both ends; it
    fails where a structure starts or ends in a long gap. Costlier registrations (demons, learned,
    ensemble) gain nothing once the end rule is in: see docs/benchmarks.md.

    Attributes:
        flow: the registration.
        shape_gap: gap in slices at which interpolation's weight has fallen to 0.37.
    """

    flow: FlowPropagator = field(default_factory=FlowPropagator)
    shape_gap: float = 8.0

    name = "auto"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        results = self.flow.carry(stack, drawn)
        order = sorted(range(len(drawn)), key=lambda each: drawn[each].index)
        if len(order) < 2:
            return results
        shapes = DistancePropagator().carry(stack, drawn)
        for left, right in pairwise(order):
            begin, end = drawn[left].index, drawn[right].index
            if not _same_classes(drawn[left], drawn[right]):
                continue  # interpolation would let a structure vanish at once
            share = np.float32(np.exp(-(end - begin) / self.shape_gap))
            for each in (left, right):
                reached = slice(max(begin + 1, drawn[each].first), min(end, drawn[each].last + 1))
                carried = results[each].probabilities[:, reached]
                carried += share * (shapes[each].probabilities[:, reached] - carried)
        return results


def _same_classes(first: DrawnSlice, second: DrawnSlice) -> bool:
    present = [each.one_hot.any(axis=(1, 2)) for each in (first, second)]
    return bool((present[0] == present[1]).all())
