"""Learning curves with intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spss.suggestion import list_strategies
from spss_apps.benchmarks.figure_file import save_figure
from spss_apps.benchmarks.suggestion_table import Curves, Document, interval

STYLE = {"oracle": "--", "best_label": "--", "best_outcome": "-.", "random_scores": ":"}
"""Lines of the sanity runs; strategies are drawn through."""

COLORS = {name: f"C{place}" for place, name in enumerate((*list_strategies(), *STYLE))}
"""The same in every panel."""

LEAST_SEEDS = 4
"""With fewer an interval is wider than the figure."""


def draw_curves(sets: Mapping[str, Curves], path: Path) -> None:
    """One panel a data set: mean test Dice over planes drawn, one line a strategy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.0 + 6.5 * len(sets), 4.0), layout="constrained")
    for place, (set_name, curves) in enumerate(sets.items()):
        axes = figure.add_subplot(1, len(sets), place + 1)
        for strategy, cells in curves.items():
            planes, mean, half = points(list(cells.values()))
            name = f"{strategy} ({len(cells)})"
            color = COLORS.get(strategy)
            style = STYLE.get(strategy, "-")
            axes.plot(planes, mean, style, marker="o", markersize=4, color=color, label=name)
            if len(cells) >= LEAST_SEEDS:
                axes.fill_between(planes, mean - half, mean + half, alpha=0.08, color=color)
        axes.set_title(set_name)
        axes.set_xlabel("planes drawn")
        axes.set_ylabel("mean test Dice, 95 % interval")
        axes.grid(alpha=0.3)
        axes.legend(
            fontsize="small", title="strategy (seeds)", loc="upper left", bbox_to_anchor=(1, 1)
        )
    save_figure(figure, path)


def points(cells: list[Document]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes, mean Dice and half-width (0 for one seed), of the rounds that all cells have."""
    length = min(len(cell["rounds"]) for cell in cells)
    planes = np.asarray([step["planes"] for step in cells[0]["rounds"][:length]])
    columns = [[cell["rounds"][place]["dice"] for cell in cells] for place in range(length)]
    values = [interval(column) for column in columns]
    mean = np.asarray([value for value, _ in values])
    return planes, mean, np.nan_to_num([half for _, half in values])
