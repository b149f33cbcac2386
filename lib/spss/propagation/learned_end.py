"""Where the evidence of a drawn slice ends, weighed by constants calibrated on many organs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from spss.propagation.evidence import FEATURES, evidence
from spss.propagation.maps import blur
from spss.propagation.stack import Carried, DrawnSlice, Stack
from spss.propagation.view import Maps, View, make_view

SHIPPED = Path(__file__).with_name("learned_end.npz")
"""Constants fitted by ``apps/benchmarks/fit_end.py``; docs/benchmarks.md says on what, and how they
do on organs that were left out."""

SURELY_NOT = -9.0
"""Logit of a voxel that was not judged: too far from the carried structure."""

REACH_OUT = -1.6
"""Depth, in radii, below which a voxel is not judged: the fit saw none there."""

SMOOTH_PIXELS = 0.7
"""In-plane Gaussian of the logits, in pixels of the view."""

SMOOTH_RADII = 0.1
"""Gaussian of the logits across slices, in radii of the structure: none where slices are thick."""

MOST_SLICES = 0.7
"""Bound of that Gaussian in slices: registration errors of far slices are not independent."""

BOUND_LOGIT = 5.0
"""Before smoothing, so that one certain voxel does not outvote its neighbours."""

_DEPTH = FEATURES.index("depth")


@dataclass(frozen=True)
class LearnedEnd:
    """A perceptron with two hidden layers on the evidence's channels: affine maps, ReLU between.

    Attributes:
        weights: ``(in, out)`` float32 each.
        biases: ``(out,)`` float32 each.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(n,)`` of ``(n, features)``."""
        last = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            samples = samples @ weight + bias
            if place < last:
                np.maximum(samples, 0, out=samples)
        return samples[:, 0]

    def judge(self, stack: Stack, drawn: DrawnSlice, carried: Carried) -> Judged:
        """Every class that is drawn, against everything else."""
        views: list[tuple[View, Maps] | None] = []
        for class_index in range(1, drawn.one_hot.shape[0]):
            if (drawn.one_hot[class_index] > 0.5).any():
                view = make_view(stack, drawn, carried, class_index)
                views.append((view, self.view_logits(view)))
            else:
                views.append(None)
        return Judged(tuple(views), (stack.shape[1], stack.shape[2]))

    def view_logits(self, view: View) -> Maps:
        """``(S, h, w)`` logits on the view's grid, smoothed."""
        seen = evidence(view)
        judged = seen[_DEPTH] > REACH_OUT
        logits = np.full(view.image.shape, SURELY_NOT, np.float32)
        logits[judged] = self(np.ascontiguousarray(seen[:, judged].T))
        smooth = blur(np.maximum(logits, -BOUND_LOGIT), SMOOTH_PIXELS)
        sigma = min(SMOOTH_RADII / view.step, MOST_SLICES)
        if sigma > 0.2:
            smooth = gaussian_filter1d(smooth, sigma, axis=0, mode="nearest")
        return np.where(judged, smooth, SURELY_NOT).astype(np.float32)


@dataclass(frozen=True)
class Judged:
    """Logits of each foreground class on the grid of its view; spread out when asked for.

    Attributes:
        views: a class's view and its ``(S, h, w)`` logits; None for a class that is not drawn.
        size: rows and columns of the stack's slices.
    """

    views: tuple[tuple[View, Maps] | None, ...]
    size: tuple[int, int]

    def logits(self, span: slice) -> Maps:
        """``(C - 1, n, H, W)`` logits of slices ``span`` of the stack."""
        count = span.stop - span.start
        out = np.full((len(self.views), count, *self.size), SURELY_NOT, np.float32)
        for mine, seen in zip(out, self.views, strict=True):
            if seen is not None:
                view, logits = seen
                part = logits[max(0, span.start - view.first) : max(0, span.stop - view.first)]
                start = max(0, view.first - span.start)
                mine[(slice(start, start + len(part)), *view.box)] = view.back(part)
        return out


@lru_cache(maxsize=4)
def load_end(path: Path = SHIPPED) -> LearnedEnd:
    """Reads constants written by `save_end`."""
    with np.load(path) as file:
        count = sum(name.startswith("weight") for name in file.files)
        end = LearnedEnd(
            tuple(file[f"weight_{place}"] for place in range(count)),
            tuple(file[f"bias_{place}"] for place in range(count)),
        )
    if end.weights[0].shape[0] != len(FEATURES):
        msg = (
            f"{path} was fitted on {end.weights[0].shape[0]} channels, this version has "
            f"{len(FEATURES)}: fit it again."
        )
        raise ValueError(msg)
    return end


def save_end(end: LearnedEnd, path: Path) -> None:
    """Writes constants as float32 arrays."""
    arrays = {f"weight_{place}": each for place, each in enumerate(end.weights)}
    arrays |= {f"bias_{place}": each for place, each in enumerate(end.biases)}
    np.savez(path, **{name: each.astype(np.float32) for name, each in arrays.items()})
