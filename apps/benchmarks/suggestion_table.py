"""Learning curves as numbers: area under the curve, differences with intervals, wins, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

Document = dict[str, Any]
Curves = dict[str, dict[int, Document]]
"""Strategy → seed → cell."""

BASELINE = "foreground_random"


def by_set(documents: Sequence[Document]) -> dict[str, Curves]:
    """Cells by data set, in the order of their first appearance."""
    sets: dict[str, Curves] = {}
    for document in documents:
        cell = document["cell"]
        curves = sets.setdefault(Path(cell["data"]).name, {})
        curves.setdefault(cell["strategy"], {})[cell["seed"]] = document
    return sets


def area(document: Document) -> float:
    """Area under the curve of test Dice over planes, divided by the range of planes (AUBC)."""
    planes = np.asarray([step["planes"] for step in document["rounds"]], float)
    dice = np.asarray([step["dice"] for step in document["rounds"]], float)
    if len(planes) < 2:
        return float(dice[-1])
    widths = np.diff(planes)
    return float((widths * (dice[1:] + dice[:-1]) / 2).sum() / widths.sum())


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t); NaN for fewer than two."""
    array = np.asarray(values, float)
    if array.size < 2:
        return float(array.mean()), float("nan")
    return float(array.mean()), float(stats.t.ppf(0.975, array.size - 1) * stats.sem(array))


def paired(ours: Mapping[int, Document], theirs: Mapping[int, Document]) -> list[float]:
    """Differences of the areas, seed by seed, where both have the seed."""
    return [area(ours[seed]) - area(theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def curve_table(curves: Curves) -> str:
    """One row a strategy, best area first."""
    lines = [
        "| strategy | seeds | AUBC | minus foreground_random (paired, 95 %) | final Dice "
        "| final 5th percentile | volumes | foreground voxels | contour mm | empty planes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    order = sorted(curves, key=lambda name: -_mean_area(curves[name]))
    for name in order:
        cells = list(curves[name].values())
        last = [cell["rounds"][-1] for cell in cells]
        lines.append(
            f"| {name} | {len(cells)} | {_mean_area(curves[name]):.3f} "
            f"| {_against_baseline(curves, name)} "
            f"| {_with_interval([step['dice'] for step in last])} "
            f"| {np.mean([step['p5'] for step in last]):.3f} "
            f"| {np.mean([step['volumes'] for step in last]):.1f} "
            f"| {np.mean([step['foreground_voxels'] for step in last]):.0f} "
            f"| {np.mean([step['contour_mm'] for step in last]):.0f} "
            f"| {np.mean([step['empty_planes'] / step['planes'] for step in last]):.0%} |"
        )
    return "\n".join(lines)


def budget_table(curves: Curves) -> str:
    """Dice and its 5th percentile over test volumes at a quarter, half and all of the planes."""
    cells = [cell for seeds in curves.values() for cell in seeds.values()]
    planes = _budgets([step["planes"] for step in cells[0]["rounds"]])
    heads = [f"Dice at {count} | 5th percentile" for count in planes]
    lines = [f"| strategy | {' | '.join(heads)} |", "|---" * (2 * len(planes) + 1) + "|"]
    for name in sorted(curves, key=lambda name: -_mean_area(curves[name])):
        row = [name]
        for count in planes:
            steps = [
                step
                for cell in curves[name].values()
                for step in cell["rounds"]
                if step["planes"] == count
            ]
            row += [_with_interval([step["dice"] for step in steps])]
            row += [f"{np.mean([step['p5'] for step in steps]):.3f}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def win_matrix(curves: Curves) -> str:
    """Row against column: seeds with the larger area, and the paired t test's p."""
    names = sorted(curves, key=lambda name: -_mean_area(curves[name]))
    lines = [f"| wins | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in names:
        cells = [_wins(curves, row, column) for column in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _budgets(planes: Sequence[int]) -> list[int]:
    """A quarter, half and all of the planes: 10, 20 and 40 of 40; rounds that there were."""
    wanted = [max(planes) / 4, max(planes) / 2, max(planes)]
    return sorted({min(planes, key=lambda count: abs(count - each)) for each in wanted})


def _wins(curves: Curves, row: str, column: str) -> str:
    """In how many pairs the row is above the column, and how likely that is by chance."""
    if row == column:
        return "–"
    differences = paired(curves[row], curves[column])
    if not differences:
        return ""
    text = f"{sum(value > 0 for value in differences)} of {len(differences)}"
    if len(differences) > 1 and np.ptp(differences) > 1e-9:
        text += f", p {stats.ttest_1samp(differences, 0.0).pvalue:.2f}"
    return text


def _against_baseline(curves: Curves, name: str) -> str:
    """Mean paired difference with its interval."""
    if name == BASELINE or BASELINE not in curves:
        return ""
    differences = paired(curves[name], curves[BASELINE])
    if not differences:
        return ""
    mean, half = interval(differences)
    return f"{mean:+.3f}" + ("" if np.isnan(half) else f" ± {half:.3f}")


def _with_interval(values: Sequence[float]) -> str:
    mean, half = interval(values)
    return f"{mean:.3f}" + ("" if np.isnan(half) else f" ± {half:.3f}")


def _mean_area(cells: Mapping[int, Document]) -> float:
    return float(np.mean([area(cell) for cell in cells.values()]))
