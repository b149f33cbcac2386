"""Pictures for the report: PNG bytes, no display, no global matplotlib state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from spss.annotation import Plane
from spss.types import Affine, ClassMap, ScalarMap
from spss.volumes import Volume, robust_range, to_canonical

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
"""Okabe and Ito's palette, told apart by colour-blind readers; class 1 first."""

INK = "#22303c"
DPI = 110
COLUMN = 1.75
"""Width of a column of a comparison in inches."""


@dataclass(frozen=True)
class View:
    """One column of a comparison.

    Attributes:
        title: above the column.
        classes: label map drawn over the image, or None.
        map: scalar map 0…1 drawn instead of the image, or None.
    """

    title: str
    classes: ClassMap | None = None
    map: ScalarMap | None = None


def plane_picture(volume: Volume, classes: ClassMap, plane: Plane) -> bytes:
    """One plane with the outlines of its classes."""
    figure = _figure(2.1, 2.1)
    axes = figure.add_axes((0, 0, 1, 1))
    _show_image(axes, volume, plane)
    _show_outlines(axes, volume, classes, plane)
    return _png(figure)


def comparison(volume: Volume, views: Sequence[View], rows: Sequence[tuple[str, Plane]]) -> bytes:
    """Planes of one volume as rows, label maps and scalar maps as columns."""
    pixels, aspect = _pixels(volume.data, volume.affine, rows[0][1])
    height = COLUMN * aspect * pixels.shape[0] / pixels.shape[1]
    figure = _figure(COLUMN * len(views) + 0.3, height * len(rows) + 0.3)
    grid = figure.subplots(len(rows), len(views), squeeze=False)
    for row, (name, plane) in enumerate(rows):
        for column, view in enumerate(views):
            axes = grid[row, column]
            _show_view(axes, volume, view, plane)
            if row == 0:
                axes.set_title(view.title, fontsize=9, color=INK)
            if column == 0:
                axes.set_ylabel(name, fontsize=8, color=INK)
    figure.tight_layout(pad=0.2, h_pad=0.3, w_pad=0.3)
    return _png(figure)


def learning_curve(
    planes: Sequence[int], dice: Mapping[str, Sequence[float]], interval: Sequence[float]
) -> bytes:
    """Test Dice against the number of drawn planes, one line a class and their mean.

    Args:
        planes: drawn in all, after each round.
        dice: class name, and ``mean``, to one value a round.
        interval: half-width of the 95 % interval of the mean, one a round.
    """
    figure = _figure(4.0, 2.9)
    axes = figure.add_axes((0.14, 0.17, 0.83, 0.8))
    classes = [name for name in dice if name != "mean"]
    for index, name in enumerate(classes):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(planes, dice[name], "o-", color=colour, label=name, linewidth=1.5, markersize=4)
    mean = np.asarray(dice["mean"])
    axes.plot(planes, mean, "s-", color=INK, label="mean", linewidth=2.2, markersize=5)
    low, high = mean - np.asarray(interval), mean + np.asarray(interval)
    axes.fill_between(planes, low, high, color=INK, alpha=0.12, linewidth=0)
    axes.set_xlabel("planes drawn in all")
    axes.set_ylabel("Dice on test volumes")
    axes.set_ylim(0, 1)
    axes.set_xticks(list(planes))
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _png(figure)


def _show_view(axes: Axes, volume: Volume, view: View, plane: Plane) -> None:
    """Image or map, and over it the outlines of a label map."""
    if view.map is None:
        _show_image(axes, volume, plane)
    else:
        pixels, aspect = _pixels(view.map, volume.affine, plane)
        axes.imshow(pixels, cmap="magma", vmin=0, vmax=1, origin="lower", aspect=aspect)
    if view.classes is not None:
        _show_outlines(axes, volume, view.classes, plane)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _show_image(axes: Axes, volume: Volume, plane: Plane) -> None:
    """Grey values between robust limits, so that one bright voxel does not darken the rest."""
    low, high = robust_range(volume.data)
    pixels, aspect = _pixels(volume.data, volume.affine, plane)
    axes.imshow(
        pixels, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), origin="lower", aspect=aspect
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _show_outlines(axes: Axes, volume: Volume, classes: ClassMap, plane: Plane) -> None:
    """Each class in its colour; what lies below stays visible."""
    pixels, _ = _pixels(classes, volume.affine, plane)
    for value in np.unique(pixels):
        if value == 0:
            continue
        colour = COLOURS[(int(value) - 1) % len(COLOURS)]
        mask = (pixels == value).astype(np.float32)
        if min(mask.shape) > 1:
            axes.contourf(mask, levels=[0.5, 1.5], colors=[colour], alpha=0.25)
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=1.4)


def _pixels(array: NDArray[Any], affine: Affine, plane: Plane) -> tuple[NDArray[Any], float]:
    """The plane as rows from bottom to top in RAS, and the height of a pixel over its width."""
    canonical, canonical_affine = to_canonical(array, affine)
    orientation = io_orientation(affine)
    axis = int(orientation[plane.axis, 0])
    last = array.shape[plane.axis] - 1
    index = plane.index if orientation[plane.axis, 1] > 0 else last - plane.index
    spacing_mm = np.linalg.norm(canonical_affine[:3, :3], axis=0)
    across, up = (other for other in range(3) if other != axis)
    pixels = np.take(canonical, index, axis=axis).T
    return pixels, float(spacing_mm[up] / spacing_mm[across])


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()
