"""What the drawn slices along one axis say about the volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError
from spss.propagation.between import goes_on
from spss.propagation.decision import class_probabilities
from spss.propagation.extent import SimpleEnd
from spss.propagation.fusion import Fusion
from spss.propagation.learned_end import load_end
from spss.propagation.region import region_of
from spss.propagation.registry import Propagator
from spss.propagation.stack import Carried, DrawnSlice, Stack, scale_intensities
from spss.types import SpacingMm

END_RULES = ("learned", "simple", "none")
"""``learned``: calibrated evidence; ``simple``: residual and distance; ``none``: as carried."""

SIMPLE_SHARES = (0.0, 0.65)
"""Share of the simple rule in ``learned``: for structures of a kind that was fitted on, and for
ones unlike all of them, chosen on volumes of the validation split (docs/research.md)."""

SHARES_BETWEEN = (0.3, 0.65)
"""The same where the structure goes on between two drawn slices and the simple rule is what was
carried. Every eighth plane: heart 0.956 to 0.959, validation split of hippocampus 0.892 with and
without (docs/benchmarks.md)."""

SLAB = 32
"""Slices judged at a time, so that a judgement in full resolution never needs much memory."""

AT_THE_PLANE = 0.01
"""Distance in slices that stands for zero, in weights that divide by the distance."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Weighs what a propagator carried.

    Attributes:
        propagator: carries.
        end_rule: one of ``END_RULES``.
    """

    propagator: Propagator
    end_rule: str = "learned"

    def __post_init__(self) -> None:
        if self.end_rule not in END_RULES:
            msg = f"There is no end rule {self.end_rule!r}: use one of {', '.join(END_RULES)}."
            raise InputError(msg)

    def add(self, fusion: Fusion, stack: Stack, axis: int, drawn: tuple[DrawnSlice, ...]) -> None:
        """Adds the opinion of every drawn slice along ``axis``."""
        rows, columns = region_of(drawn)
        for each, along, opinion in self._opinions(stack, drawn, rows, columns):
            steps = np.abs(np.arange(along.start, along.stop) - each.index)
            distance_mm = np.maximum(steps, AT_THE_PLANE).astype(np.float32) * stack.thickness_mm
            fusion.look(axis, along)
            fusion.add(
                _where(axis, along, rows, columns),
                np.moveaxis(opinion, 1, axis + 1),
                np.moveaxis(distance_mm[:, None, None].astype(np.float32), 0, axis),
            )

    def _opinions(
        self, stack: Stack, drawn: tuple[DrawnSlice, ...], rows: slice, columns: slice
    ) -> Iterator[tuple[DrawnSlice, slice, NDArray[np.float32]]]:
        """The drawn slice, slices of the stack, and their ``(C, n, h, w)``."""
        first, last = min(each.first for each in drawn), max(each.last for each in drawn)
        near = Stack(
            scale_intensities(stack.slices[first : last + 1, rows, columns], stack.bounds),
            stack.thickness_mm,
            stack.pixel_mm,
        )
        moved = tuple(
            replace(
                each,
                index=each.index - first,
                one_hot=np.ascontiguousarray(each.one_hot[:, rows, columns]),
                first=each.first - first,
                last=each.last - first,
            )
            for each in drawn
        )
        carried = self.propagator.carry(near, moved)
        for each, inside in zip(drawn, moved, strict=True):
            for span, opinion in self.judge(near, inside, carried.pop(0)):
                yield each, slice(span.start + first, span.stop + first), opinion

    def judge(
        self, stack: Stack, drawn: DrawnSlice, carried: Carried
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Slices of the stack and their ``(C, n, H, W)`` after the end rule."""
        learned = load_end().judge(stack, drawn, carried) if self.end_rule == "learned" else None
        for start in range(drawn.first, drawn.last + 1, SLAB):
            span = slice(start, min(start + SLAB, drawn.last + 1))
            probabilities = carried.probabilities[:, span]
            if self.end_rule == "none":
                yield span, probabilities
                continue
            simple = SimpleEnd().apply(stack, drawn, carried, span)
            if learned is None:
                yield span, simple
            else:
                judged = class_probabilities(learned.logits(span))
                yield span, _blend(judged, simple, _simple_shares(drawn, span, learned.strangeness))


def drawn_slices(
    label: SparseLabel,
    axis: int,
    class_count: int,
    *,
    spacing_mm: SpacingMm,
    range_slices: int | None = None,
) -> tuple[DrawnSlice, ...]:
    """The annotated slices along ``axis``, each bounded by its annotated neighbours."""
    indices = [plane.index for plane in label.planes if plane.axis == axis]
    bounds = [0, *indices, label.shape[axis] - 1]
    reach = label.shape[axis] if range_slices is None else max(0, range_slices)
    maps = [label.classes[Plane(axis, index).slices] for index in indices]
    pixel_mm2 = float(np.prod(spacing_mm)) / spacing_mm[axis]
    onward = [
        goes_on(*pair, gap_mm=float(gap * spacing_mm[axis]), pixel_mm2=pixel_mm2)
        for pair, gap in zip(pairwise(maps), np.diff(indices), strict=True)
    ]
    onward = [frozenset(), *onward, frozenset()]
    drawn = []
    for place, (index, classes) in enumerate(zip(indices, maps, strict=True), start=1):
        drawn.append(
            DrawnSlice(
                index,
                (classes == np.arange(class_count)[:, None, None]).astype(np.float32),
                first=max(index - reach, bounds[place - 1] + (place > 1)),
                last=min(index + reach, bounds[place + 1] - (place < len(indices))),
                goes_on_before=onward[place - 1],
                goes_on_after=onward[place],
            )
        )
    return tuple(drawn)


def _where(axis: int, span: slice, rows: slice, columns: slice) -> tuple[slice, slice, slice]:
    box = [rows, columns]
    box.insert(axis, span)
    return (box[0], box[1], box[2])


def _simple_shares(drawn: DrawnSlice, span: slice, strangeness: float) -> NDArray[np.float32]:
    """``(C - 1, n)``: the share of the simple rule for each class and slice."""
    alone, between = (np.interp(strangeness, (0, 1), p) for p in (SIMPLE_SHARES, SHARES_BETWEEN))
    return np.where(drawn.goes_on(span), between, alone).astype(np.float32)


def _blend(
    judged: NDArray[np.float32], simple: NDArray[np.float32], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Moves every foreground class by its share from ``judged`` to ``simple``."""
    for mine, other, share in zip(judged[1:], simple[1:], shares, strict=True):
        mine += share[:, None, None] * (other - mine)
    # shares differ between classes: together they may claim more than there is
    judged[0] = np.maximum(1 - judged[1:].sum(axis=0), 0)
    judged /= judged.sum(axis=0)
    return judged
