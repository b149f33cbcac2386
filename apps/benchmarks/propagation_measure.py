"""Propagates one task with one method and says how good the result is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.annotation import SparseLabel
from spss.propagation import PseudoLabel, propagate
from spss.types import ClassMap
from spss_apps.benchmarks.peak_memory import with_peak_mb
from spss_apps.benchmarks.propagation_tasks import Task

SAMPLES = 1500
"""Voxels kept per volume to judge reliability."""


def measure(
    task: Task, propagator: str, end_rule: str, *, threads: int, weights: Path | None = None
) -> tuple[dict[str, Any], PseudoLabel]:
    """One row: Dice, Dice over distance, milliseconds per slice, peak memory."""
    label = SparseLabel.from_planes(task.truth, task.planes)

    def work() -> tuple[PseudoLabel, float]:
        """What is measured, and its seconds."""
        started = time.perf_counter()
        result = propagate(
            task.volume.data,
            label,
            spacing_mm=task.volume.spacing_mm,
            class_count=task.class_count,
            propagator=propagator,
            end_rule=end_rule,
            threads=threads,
            weights=weights,
        )
        return result, time.perf_counter() - started

    (result, seconds), peak_mb = with_peak_mb(work)
    classes = result.classes
    between = np.ones(task.truth.shape, bool)
    if task.kind != "one":
        indices = [plane.index for plane in task.planes]
        between = between_planes(task.truth.shape, task.axis, indices)
    row = {
        "set": task.set_name,
        "volume": task.volume.name,
        "kind": task.kind,
        "propagator": propagator,
        "end_rule": end_rule,
        "dice": dice(classes, task.truth, task.class_count, between),
        "ms_per_slice": 1000 * seconds / task.truth.shape[task.axis],
        "peak_mb": peak_mb,
        "over_distance": over_distance(classes, task),
    }
    return row, result


def reliability_samples(
    task: Task, flow: ClassMap, result: PseudoLabel, seed: int
) -> list[list[float]]:
    """``(score, right)`` of voxels plain flow calls foreground, the drawn plane excluded.

    The score is the probability that flow's class is right: the reliability where the result
    says the same class, else one minus it.
    """
    asked = flow > 0
    for plane in task.planes:
        asked[plane.slices] = False
    places = np.flatnonzero(asked)
    rng = np.random.default_rng(seed)
    places = rng.choice(places, min(SAMPLES, len(places)), replace=False)
    same = result.classes.ravel()[places] == flow.ravel()[places]
    claimed = result.reliability.ravel()[places]
    score = np.where(same, claimed, 1 - claimed)
    right = flow.ravel()[places] == task.truth.ravel()[places]
    return [[round(float(s), 4), int(r)] for s, r in zip(score, right, strict=True)]


def dice(
    classes: ClassMap, truth: ClassMap, class_count: int, where: NDArray[np.bool_]
) -> list[float]:
    """Per foreground class; a class that is in neither counts as 1."""
    scores = []
    for index in range(1, class_count):
        mine, theirs = (classes == index) & where, (truth == index) & where
        total = int(mine.sum() + theirs.sum())
        scores.append(1.0 if total == 0 else 2 * int((mine & theirs).sum()) / total)
    return scores


def between_planes(shape: tuple[int, ...], axis: int, indices: list[int]) -> NDArray[np.bool_]:
    """Slices strictly between drawn ones."""
    where = np.zeros(shape[axis], bool)
    where[min(indices) : max(indices)] = True
    where[indices] = False
    out = np.zeros(shape, bool)
    np.moveaxis(out, axis, 0)[where] = True
    return out


def over_distance(classes: ClassMap, task: Task) -> list[list[float]]:
    """``(mm to the nearest drawn plane, Dice of the slice)`` where anything is or was found."""
    mine, theirs = np.moveaxis(classes, task.axis, 0), np.moveaxis(task.truth, task.axis, 0)
    out = []
    for index in range(len(mine)):
        steps = min(abs(index - plane.index) for plane in task.planes)
        found = (mine[index] > 0) | (theirs[index] > 0)
        if steps == 0 or not found.any():
            continue
        everywhere = np.ones(mine[index].shape, bool)
        scores = [
            value
            for c, value in enumerate(
                dice(mine[index], theirs[index], task.class_count, everywhere), start=1
            )
            if (mine[index] == c).any() or (theirs[index] == c).any()
        ]
        distance_mm = steps * task.volume.spacing_mm[task.axis]
        out.append([round(distance_mm, 3), round(float(np.mean(scores)), 4)])
    return out
