"""Where the evidence of a drawn slice ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from spss.propagation.maps import blur
from spss.propagation.stack import Carried, DrawnSlice, Stack

UNFITTED_END_RULE = "simple"
"""Where propagated labels end for training. The ``learned`` rule's constants were fitted on dense
labels of public sets; a benchmark of sparse labels on those sets must not profit from them, and on
other organs the two rules are level (``docs/benchmarks.md``)."""

HALO = 3
"""Slices beyond those asked for that the smoothing across sees: SciPy cuts at four sigma."""


@dataclass(frozen=True, kw_only=True)
class SimpleEnd:
    """Foreground fades with the residual and with the distance in slices.

    Foreground probability times ``exp(-strength * max(r - threshold, 0)) * fade ** d``: r is the
    residual smoothed by a Gaussian, d the distance in slices; the rest goes to background.
    Constants: measured on hippocampus, a plateau (strength 3…8, threshold 0.03…0.1, fade
    0.96…0.99 all within 0.01 Dice of the best). Between two drawn slices that both show a class
    nothing of it fades while they lie close, see `goes_on`.
    """

    strength: float = 6.0
    threshold: float = 0.08
    fade: float = 0.98
    smoothing_in_plane: float = 1.5
    smoothing_across: float = 0.7

    def apply(
        self, stack: Stack, drawn: DrawnSlice, carried: Carried, span: slice
    ) -> NDArray[np.float32]:
        """``(C, n, H, W)``: carried to slices ``span`` and faded; background takes the rest."""
        faded = np.array(carried.probabilities[:, span], np.float32)
        goes_on = drawn.goes_on(span)
        if goes_on.all():
            return faded
        keep = self._keep(stack, drawn, carried, span)
        for probability, throughout in zip(faded[1:], goes_on, strict=True):
            probability *= np.where(throughout[:, None, None], np.float32(1), keep)
        faded[0] = 1.0 - faded[1:].sum(axis=0)
        return faded

    def _keep(
        self, stack: Stack, drawn: DrawnSlice, carried: Carried, span: slice
    ) -> NDArray[np.float32]:
        """``(n, H, W)`` float32 in 0…1: the share to keep of the foreground of slices ``span``."""
        near = slice(max(drawn.first, span.start - HALO), min(drawn.last + 1, span.stop + HALO))
        residual = blur(np.abs(carried.warped[near] - stack.slices[near]), self.smoothing_in_plane)
        residual = gaussian_filter1d(residual, self.smoothing_across, axis=0, mode="nearest")
        residual = residual[span.start - near.start :][: span.stop - span.start]
        steps = np.abs(np.arange(span.start, span.stop) - drawn.index).astype(np.float32)
        kept = np.exp(-self.strength * np.maximum(residual - self.threshold, 0))
        return np.asarray(kept * (self.fade**steps)[:, None, None], np.float32)
