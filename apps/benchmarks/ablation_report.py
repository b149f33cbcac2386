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

Row = tuple[Variant, Sequence[dict[str, Any]], Sequence[dict[str, Any]]]
"""A variant, its runs, and the runs of the whole it is compared with."""


def figure_name(whole: Variant) -> str:
    """File of a method's bars."""
    return f"ablation_{whole.method}.png"


def report(rows: Sequence[Row], command: str) -> str:
    """The section of one method; its whole is the first row."""
    whole = rows[0][0]
    lines = [
        f"## What each part of `{whole.label}` is worth",
        "",
        "One part changed at a time, all else equal. The difference to the whole (in "
        "bold) is paired over test volumes and seeds; its 95 % interval is over these pairs, in "
        "the last column over seeds alone. An interval that holds zero shows nothing.",
        "",
        f"```\n{command}\n```",
        "",
        "| variant | constants | seeds | mean Dice | 5th percentile | minus the whole | by seed |",
        "|---|---|---|---|---|---|---|",
        *(_line(row, whole) for row in rows),
        "",
        f"![Difference in test Dice to the whole method](img/{figure_name(whole)})",
    ]
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Horizontal bars of the paired difference to the whole, with its interval."""
    from matplotlib.figure import Figure

    whole = rows[0][0]
    shown = [row for row in rows if row[0] is not whole]
    values = [_difference(row) for row in shown]
    figure = Figure(figsize=(6.4, 1.4 + 0.34 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        range(len(values)),
        [gap.mean for gap in values],
        xerr=[gap.pairs for gap in values],
        capsize=2,
        color=["C3" if gap.mean < 0 else "C2" for gap in values],
    )
    axes.set_yticks(range(len(values)), [row[0].name or "as released" for row in shown])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(whole.label, fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("mean test Dice minus the whole's, 95 % interval over pairs")
    save_figure(figure, path)


def _line(row: Row, whole: Variant) -> str:
    """A variant's row, with the constants it changes; the whole has no difference to itself."""
    variant, runs, _ = row
    changed = variant.constants.items()
    if variant is not whole:
        changed -= whole.constants.items()
    constants = ", ".join(f"{name}={value}" for name, value in sorted(changed))
    gap = _difference(row)
    dice = interval(over_seeds(runs, "mean", "dice"))[0]
    label = f"**{variant.label}**" if variant is whole else variant.label
    difference = (
        " | " if variant is whole else f"{gap.mean:+.3f} ± {gap.pairs:.3f} | ± {gap.seeds:.3f}"
    )
    return (
        f"| {label} | {constants} | {len(runs)} | {dice:.3f} "
        f"| {np.percentile(case_dice(runs), 5):.3f} | {difference} |"
    )


def _difference(row: Row) -> Difference:
    """Variant minus whole; NaN where they share no seed."""
    nothing = Difference(float("nan"), float("nan"), float("nan"))
    return paired_difference(row[1], row[2]) or nothing
