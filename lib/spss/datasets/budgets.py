"""How much an annotator draws: the budgets of the benchmark protocol, simulated from the truth."""

from __future__ import annotations

import re

import numpy as np

from spss.annotation import Plane
from spss.datasets.annotations import Annotations
from spss.datasets.dataset import Case, Dataset
from spss.datasets.splits import name_hash, split
from spss.errors import InputError
from spss.types import ClassMap, Mask
from spss.volumes.labels import read_label
from spss.volumes.volume import read_grid

EDGE_SHARE = 0.2
"""Share of the organ's extent left out at either end: planes come from the middle 3/5."""

_PLANES = re.compile(r"([123])x([1-9]\d*)")
_FULL = re.compile(r"full([1-9]\d*)?")


def make_budget(dataset: Dataset, plan: str, axis: int, seed: int) -> Annotations:
    """Chooses training volumes and, in each, planes.

    Args:
        dataset: its training split is annotated, never ``val`` or ``test``.
        plan: ``PxN``: P orthogonal planes in each of N volumes (``1x20``, ``2x20``, ``1x200``; all
            training volumes where there are fewer than N); ``fullN`` or ``full``: dense labels of
            N or of all volumes.
        axis: voxel axis of the first plane; further planes follow along the next axes.
        seed: which volumes and planes. Smaller plans of one seed are parts of larger ones.

    Raises:
        InputError: the plan or axis is unknown, no training volume has a label, or a label is
            broken.
    """
    if axis not in (0, 1, 2):
        msg = f"The axis of a budget must be 0, 1 or 2, got {axis!r}."
        raise InputError(msg)
    plane_count, volume_count = _parse(plan)
    cases = _shuffled_training_cases(dataset, seed)
    annotations: Annotations = {}
    for case in cases:
        if len(annotations) == volume_count:
            break
        if plane_count is None:
            annotations[case.name] = "dense"
            continue
        planes = _planes_of(case, plane_count, axis, seed, len(dataset.class_names))
        if planes:
            annotations[case.name] = planes
    if not annotations:
        msg = f"No training volume of {dataset.root.name} has a label with foreground to draw."
        raise InputError(msg)
    return annotations


def _parse(plan: str) -> tuple[int | None, int | None]:
    """Planes per volume (None: dense) and number of volumes (None: all)."""
    if match := _PLANES.fullmatch(plan):
        return int(match[1]), int(match[2])
    if match := _FULL.fullmatch(plan):
        return None, int(match[1]) if match[1] else None
    msg = f"Unknown budget {plan!r}: use 1x20, 2x20, 1x200 (planes x volumes), full20 or full."
    raise InputError(msg)


def _shuffled_training_cases(dataset: Dataset, seed: int) -> list[Case]:
    names = set(split(dataset)["train"])
    cases = [case for case in dataset.cases if case.name in names and case.label is not None]
    order = np.random.default_rng(seed).permutation(len(cases))
    return [cases[position] for position in order]


def _planes_of(case: Case, count: int, axis: int, seed: int, class_count: int) -> tuple[Plane, ...]:
    """``count`` orthogonal planes through the organ; none if the label is empty."""
    assert case.label is not None
    label = read_label(case.label, like=read_grid(case.image), class_count=class_count)
    # A stream of its own for every case: its plane does not depend on who else was chosen.
    rng = np.random.default_rng([seed, int(name_hash(case.name)[:8], 16)])
    axes = [(axis + step) % 3 for step in range(count)]
    if not label.any():
        return ()
    return tuple(sorted(middle_plane(label, chosen, rng) for chosen in axes))


def middle_plane(label: ClassMap | Mask, axis: int, rng: np.random.Generator) -> Plane:
    """A plane with foreground, uniform in the middle 3/5 of the organ's extent along ``axis``.

    Where no plane of the middle has foreground (two separate parts), any plane with foreground
    may be drawn.
    """
    others = tuple(other for other in range(3) if other != axis)
    filled = np.flatnonzero((label > 0).any(axis=others))
    first, last = int(filled[0]), int(filled[-1])
    margin = EDGE_SHARE * (last - first)
    middle = filled[(filled >= first + margin) & (filled <= last - margin)]
    return Plane(axis, int(rng.choice(middle if middle.size else filled)))
