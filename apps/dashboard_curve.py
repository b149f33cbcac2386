"""Loss and held-out Dice of a training as one picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spss_apps.pictures import COLOURS, DPI, INK


def training_curve(points: Sequence[Mapping[str, float]]) -> bytes:
    """PNG of the loss against iterations, and the held-out Dice where it was measured.

    Args:
        points: one a round, with ``iteration`` and any of ``loss`` and ``validation_dice``.
    """
    figure = Figure(figsize=(6.5, 2.8), dpi=DPI)
    axes = figure.add_axes((0.1, 0.18, 0.79, 0.77))
    _line(axes, points, "loss", INK)
    axes.set_xlabel("iterations")
    axes.set_ylabel("loss", color=INK)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if any("validation_dice" in point for point in points):
        right = axes.twinx()
        _line(right, points, "validation_dice", COLOURS[0])
        right.set_ylabel("held-out Dice", color=COLOURS[0])
        right.set_ylim(0, 1)
        right.spines[["top", "left"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _line(axes: Axes, points: Sequence[Mapping[str, float]], key: str, colour: str) -> None:
    known = [(point["iteration"], point[key]) for point in points if key in point]
    if known:
        across, up = zip(*known, strict=True)
        axes.plot(across, up, "o-", color=colour, linewidth=1.5, markersize=3)
