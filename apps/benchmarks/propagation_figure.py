"""Figures of the propagation benchmark: Dice over distance, and three volumes to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spss.propagation import PseudoLabel
from spss.types import ClassMap
from spss_apps.benchmarks.propagation_tasks import Task
from spss_apps.pictures import COLOURS, DPI, INK

LINES = {
    ("copy", "none"): ("copy", COLOURS[3], ":"),
    ("flow", "none"): ("flow, no end rule", COLOURS[0], "--"),
    ("flow", "simple"): ("flow, simple end rule", COLOURS[1], "-."),
    ("demons", "learned"): ("demons, end rule of auto", COLOURS[6], "-"),
    ("auto", "learned"): ("auto", COLOURS[5], "-"),
}
BINS = 12
LEAST_SLICES = 3
"""Fewer slices at a distance make no mean worth drawing, unless there is one volume only."""

AWAY = (-0.3, 0.3)
"""Slices shown, as shares of the organ's extent away from the drawn plane."""


def draw_over_distance(rows: list[dict[str, Any]], folder: Path) -> None:
    """One PNG a set: mean Dice of slices over their distance from the drawn plane."""
    folder.mkdir(parents=True, exist_ok=True)
    for set_name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == set_name and row["kind"] == "one"]
        figure = Figure(figsize=(6, 3.6), dpi=DPI, layout="constrained")
        axes = figure.add_subplot()
        for (name, rule), (label, colour, style) in LINES.items():
            chosen = [r for r in mine if r["propagator"] == name and r["end_rule"] == rule]
            if len(chosen) < len({row["volume"] for row in mine}):
                continue  # a mean over a few volumes does not belong beside one over all
            points = np.array([p for row in chosen for p in row["over_distance"]], float)
            if len(points):
                x, y = _binned(points, 1 if len(chosen) == 1 else LEAST_SLICES)
                text = f"{label} ({len(chosen)} volume{'s' if len(chosen) > 1 else ''})"
                axes.plot(x, y, style, color=colour, label=text, linewidth=1.8)
        axes.set(
            xlabel="distance from the drawn plane (mm)",
            ylabel="mean Dice of the slice",
            ylim=(0, 1),
            title=f"{set_name}: one plane drawn",
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        figure.savefig(folder / f"propagation_{set_name}_distance.png")


def _binned(
    points: NDArray[np.float64], least: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of y over equal steps of x, or over each x where there are few."""
    distances = np.unique(points[:, 0])
    if len(distances) <= BINS:
        place = np.searchsorted(distances, points[:, 0])
        centres = distances
    else:
        edges = np.linspace(0, distances[-1] + 1e-6, BINS + 1)
        place = np.digitize(points[:, 0], edges) - 1
        centres = (edges[1:] + edges[:-1]) / 2
    kept = [index for index in range(len(centres)) if (place == index).sum() >= least]
    return centres[kept], np.array([points[place == index, 1].mean() for index in kept])


def draw_examples(examples: list[tuple[Task, dict[str, PseudoLabel]]], path: Path) -> None:
    """Rows: slices of three volumes. Columns: truth, plain flow, auto, reliability."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [(task, results, index) for task, results in examples for index in _shown(task)]
    box = [_box(task) for task, _, _ in rows]
    aspect = [(b[0].stop - b[0].start) / (b[1].stop - b[1].start) for b in box]
    figure = Figure(figsize=(7.2, sum(1.75 * a + 0.1 for a in aspect) + 0.3), dpi=DPI)
    grid = figure.subplots(len(rows), 4, squeeze=False, gridspec_kw={"height_ratios": aspect})
    figure.subplots_adjust(0.09, 0.005, 0.99, 1 - 0.3 / figure.get_size_inches()[1], 0.03, 0.04)
    for place, (task, results, index) in enumerate(rows):
        picture = np.moveaxis(task.volume.data, task.axis, 0)[index][box[place]]
        maps = (task.truth, results["flow none"].classes, results["auto learned"].classes)
        for column, classes in enumerate(maps):
            outline = np.moveaxis(classes, task.axis, 0)[index][box[place]]
            _show(grid[place, column], picture, outline, task.class_count)
        reliability = np.moveaxis(results["auto learned"].reliability, task.axis, 0)[index]
        grid[place, 3].imshow(reliability[box[place]], cmap="viridis", vmin=0, vmax=1)
        steps = index - task.planes[0].index
        away = abs(steps) * task.volume.spacing_mm[task.axis]
        grid[place, 0].set_ylabel(f"{away:.0f} mm away", fontsize=7, color=INK)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    for axes, title in zip(grid[0], ("truth", "plain flow", "auto", "reliability"), strict=True):
        axes.set_title(title, fontsize=9, color=INK)
    figure.savefig(path)


def _shown(task: Task) -> list[int]:
    """Slices away from the drawn plane, one of them beyond the organ's end where there is room."""
    others = tuple(axis for axis in range(3) if axis != task.axis)
    present = np.flatnonzero((task.truth > 0).any(axis=others))
    extent, count = len(present), task.truth.shape[task.axis]
    wanted = [task.planes[0].index + round(share * extent) for share in AWAY]
    wanted.append(min(count - 1, int(present[-1]) + max(1, extent // 8)))
    inside = {index for index in wanted if 0 <= index < count}
    return sorted(inside - {task.planes[0].index})


def _box(task: Task) -> tuple[slice, slice]:
    """The organ's surroundings, so that contours can be seen."""
    flat = (np.moveaxis(task.truth, task.axis, 0) > 0).any(axis=0)
    sides = []
    for axis in (0, 1):
        places = np.flatnonzero(flat.any(axis=1 - axis))
        margin = max(4, len(places) // 4)
        sides.append(
            slice(max(0, int(places[0]) - margin), min(flat.shape[axis], places[-1] + 1 + margin))
        )
    return sides[0], sides[1]


def _show(axes: Axes, picture: NDArray[np.float32], classes: ClassMap, class_count: int) -> None:
    """A slice with the outline of each class."""
    low, high = np.percentile(picture, (1, 99))
    axes.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    for index in range(1, class_count):
        mask = classes == index
        if mask.any() and min(mask.shape) > 1:
            axes.contour(mask, levels=[0.5], colors=[COLOURS[index - 1]], linewidths=1.1)
