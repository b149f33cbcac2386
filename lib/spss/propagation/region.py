"""The part of a stack that propagation has to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.propagation.stack import DrawnSlice

MARGIN_SHARE = 0.75
"""Margin around the drawn structures, as a share of their extent: room to move and to grow."""

MARGIN_PIXELS = 16
"""Least margin: registration needs surroundings to hold on to."""

Box = tuple[slice, slice]


def region_of(drawn: tuple[DrawnSlice, ...]) -> Box:
    """In-plane box around all drawn foreground, with a margin, inside the slice."""
    foreground = np.zeros(drawn[0].one_hot.shape[1:], bool)
    for each in drawn:
        foreground |= each.one_hot[1:].sum(axis=0) > 0
    if not foreground.any():
        return slice(0, foreground.shape[0]), slice(0, foreground.shape[1])
    return _range(foreground.any(axis=1)), _range(foreground.any(axis=0))


def _range(present: NDArray[np.bool_]) -> slice:
    """From the first to the last present index, with the margin."""
    places = np.flatnonzero(present)
    first, last = int(places[0]), int(places[-1])
    margin = max(MARGIN_PIXELS, round(MARGIN_SHARE * (last - first + 1)))
    return slice(max(0, first - margin), min(present.size, last + 1 + margin))
