"""The ablation as a table and as bars of differences to the whole method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spss_apps.benchmarks.figure_file import save_figure
from spss_apps.benchmarks.training_table import (
    Difference,
    case_dice,
    interval,
    over_seeds,
    paired_difference,
)
from spss_apps.benchmarks.training_variants import Variant

FIGURE = "ablation.png"

Row = tuple[Variant, Sequence[dict[str, Any]], Sequence[dict[str, Any]]]
"""A variant, its runs, and the runs of the whole it is compared with."""


def report(rows: Sequence[Row], command: str) -> str:
    """The section of the page."""
    lines = [
        "## What each part is worth",
        "",
        "One part changed at a time, all else equal. The difference to the whole of its method (in "
        "bold) is paired over test volumes and seeds; its 95 % interval is over these pairs, in "
        "the last column over seeds alone. An interval that holds zero shows nothing.",
        "",
        f"```\n{command}\n```",
        "",
        "| variant | constants | seeds | mean Dice | 5th percentile | minus the whole | by seed |",
        "|---|---|---|---|---|---|---|",
        *map(_line, rows),
        "",
        f"![Difference in test Dice to the whole method](img/{FIGURE})",
    ]
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: Path) -> None:
    """One panel a method: horizontal bars of the paired difference with its interval."""
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(variant.method for variant, _, _ in rows))
    shown = {method: [row for row in rows if _is_of(row, method)] for method in methods}
    figure = Figure(figsize=(6.4, 1.4 + 0.34 * sum(map(len, shown.values()))), layout="constrained")
    panels = figure.subplots(
        len(methods), 1, squeeze=False, height_ratios=[max(1, len(shown[m])) for m in methods]
    )
    for method, axes in zip(methods, panels[:, 0], strict=True):
        values = [_difference(row) for row in shown[method]]
        names = [row[0].name or "as released" for row in shown[method]]
        axes.barh(
            range(len(values)),
            [gap.mean for gap in values],
            xerr=[gap.pairs for gap in values],
            capsize=2,
            color=["C3" if gap.mean < 0 else "C2" for gap in values],
        )
        axes.set_yticks(range(len(values)), names)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(method, fontsize="medium")
        axes.grid(axis="x", alpha=0.3)
    panels[-1, 0].set_xlabel("mean test Dice minus the whole method's, 95 % interval")
    save_figure(figure, path)


def _is_of(row: Row, method: str) -> bool:
    """True for the variants of a method that are not the whole itself."""
    return row[0].method == method and row[1] is not row[2]


def _line(row: Row) -> str:
    """A variant's row; the whole has no difference to itself."""
    variant, runs, base = row
    whole = runs is base
    constants = ", ".join(f"{name}={value}" for name, value in variant.constants.items())
    gap = _difference(row)
    dice = interval(over_seeds(runs, "mean", "dice"))[0]
    label = f"**{variant.label}**" if whole else variant.label
    difference = " | " if whole else f"{gap.mean:+.3f} ± {gap.pairs:.3f} | ± {gap.seeds:.3f}"
    return (
        f"| {label} | {constants} | {len(runs)} | {dice:.3f} "
        f"| {np.percentile(case_dice(runs), 5):.3f} | {difference} |"
    )


def _difference(row: Row) -> Difference:
    """Variant minus whole; NaN where they share no seed."""
    nothing = Difference(float("nan"), float("nan"), float("nan"))
    return paired_difference(row[1], row[2]) or nothing
