"""Where the evidence of a drawn slice ends, weighed by constants calibrated on many organs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from spss.propagation.evidence import FEATURES, evidence
from spss.propagation.familiarity import Familiarity, describe
from spss.propagation.maps import blur
from spss.propagation.perceptron import Perceptron
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
    """Two perceptrons on the evidence, and what tells which of them knows the structure.

    One that knows few kinds of structure well is misled by others, one that knows many kinds is
    never as good on any of them: so there are both, and familiarity blends their logits.

    Attributes:
        special: fitted on the kinds of structure in ``familiarity``.
        general: fitted on these and many more.
        familiarity: what the structures that ``special`` was fitted on were like.
    """

    special: Perceptron
    general: Perceptron
    familiarity: Familiarity

    def judge(self, stack: Stack, drawn: DrawnSlice, carried: Carried) -> Judged:
        """Every class that is drawn, against everything else."""
        opinions: list[Opinion | None] = []
        for class_index in range(1, drawn.one_hot.shape[0]):
            if (drawn.one_hot[class_index] > 0.5).any():
                opinions.append(self.look(make_view(stack, drawn, carried, class_index)))
            else:
                opinions.append(None)
        return Judged(tuple(opinions), (stack.shape[1], stack.shape[2]))

    def look(self, view: View) -> Opinion:
        """Logits on the view's grid, smoothed, and how strange the structure is."""
        seen = evidence(view)
        judged = seen[_DEPTH] > REACH_OUT
        samples = np.ascontiguousarray(seen[:, judged].T)
        strangeness = self.familiarity.strangeness(describe(samples))
        logits = np.full(view.image.shape, SURELY_NOT, np.float32)
        logits[judged] = self._blended(samples, strangeness)
        smooth = blur(np.maximum(logits, -BOUND_LOGIT), SMOOTH_PIXELS)
        sigma = min(SMOOTH_RADII / view.step, MOST_SLICES)
        if sigma > 0.2:
            smooth = gaussian_filter1d(smooth, sigma, axis=0, mode="nearest")
        return Opinion(view, np.where(judged, smooth, SURELY_NOT).astype(np.float32), strangeness)

    def _blended(self, samples: NDArray[np.float32], strangeness: float) -> NDArray[np.float32]:
        """Asks only those that have a say: judging is most of what an answer costs."""
        if strangeness <= 0:
            return self.special(samples)
        general = self.general(samples)
        if strangeness >= 1:
            return general
        share = np.float32(strangeness)
        return (1 - share) * self.special(samples) + share * general


@dataclass(frozen=True)
class Opinion:
    """What the perceptron says of one class.

    Attributes:
        view: the class on its own grid.
        logits: ``(S, h, w)`` on that grid.
        strangeness: 0 for a structure like those fitted on, 1 for one unlike all of them.
    """

    view: View
    logits: Maps
    strangeness: float


@dataclass(frozen=True)
class Judged:
    """Logits of each foreground class on the grid of its view; spread out when asked for.

    Attributes:
        opinions: of each class; None for a class that is not drawn.
        size: rows and columns of the stack's slices.
    """

    opinions: tuple[Opinion | None, ...]
    size: tuple[int, int]

    @property
    def strangeness(self) -> float:
        """Mean over the drawn classes, 0…1."""
        seen = [each.strangeness for each in self.opinions if each is not None]
        return sum(seen) / len(seen) if seen else 1.0

    def logits(self, span: slice) -> Maps:
        """``(C - 1, n, H, W)`` logits of slices ``span`` of the stack."""
        count = span.stop - span.start
        out = np.full((len(self.opinions), count, *self.size), SURELY_NOT, np.float32)
        for mine, seen in zip(out, self.opinions, strict=True):
            if seen is not None:
                view = seen.view
                first, last = (max(0, place - view.first) for place in (span.start, span.stop))
                part = seen.logits[first:last]
                start = max(0, view.first - span.start)
                mine[(slice(start, start + len(part)), *view.box)] = view.back(part)
        return out


@lru_cache(maxsize=4)
def load_end(path: Path = SHIPPED) -> LearnedEnd:
    """Reads constants written by `save_end`."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float32) for name in file.files}
    if arrays["special_weight_0"].shape[0] != len(FEATURES):
        msg = (
            f"{path} was fitted on {arrays['special_weight_0'].shape[0]} channels, this version "
            f"has {len(FEATURES)}: fit it again."
        )
        raise ValueError(msg)
    special, general = (_read(arrays, kind) for kind in ("special", "general"))
    return LearnedEnd(special, general, Familiarity(arrays["known"]))


def save_end(end: LearnedEnd, path: Path) -> None:
    """Writes constants as float32 arrays, descriptions as float16: three digits are enough."""
    arrays: dict[str, NDArray[np.generic]] = {"known": end.familiarity.known.astype(np.float16)}
    for kind, perceptron in (("special", end.special), ("general", end.general)):
        for place, (weight, bias) in enumerate(
            zip(perceptron.weights, perceptron.biases, strict=True)
        ):
            arrays[f"{kind}_weight_{place}"] = weight.astype(np.float32)
            arrays[f"{kind}_bias_{place}"] = bias.astype(np.float32)
    np.savez_compressed(path, **arrays)


def _read(arrays: dict[str, NDArray[np.float32]], kind: str) -> Perceptron:
    count = sum(name.startswith(f"{kind}_weight") for name in arrays)
    return Perceptron(
        tuple(arrays[f"{kind}_weight_{place}"] for place in range(count)),
        tuple(arrays[f"{kind}_bias_{place}"] for place in range(count)),
    )
