"""A segmentation of the PACS, loaded in OHIF by double click, and where its voxels are."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from spss.types import ClassMap
from spss_app.dicomweb.series import Series
from spss_apps.clients.ohif import Ohif

_LOADING_S = 5.0
"""A slice that is not there yet is loaded within this time, on a busy machine too."""

_TRIES = 2
"""Of either end: the slice shown before may be the one that the wrong end leads to."""

_TURNS = 5
"""Of the wheel, away from a slice and back to it, before it is said to show no label."""

_DRAWING_MS = 30_000
"""A label that is drawn at all is drawn within this time, on a busy machine too."""

_PLACED = """() => {
  const segmentation = services.segmentationService.getSegmentations()[0];
  const labelmap = segmentation.representationData.Labelmap;
  const names = {};
  for (const [index, item] of Object.entries(segmentation.segments)) names[index] = item.label;
  const frames = [];
  for (const id of labelmap.imageIds) {
    const image = cornerstone.cache.getImage(id);
    const values = image.voxelManager.getScalarData();
    const found = [];
    for (let i = 0; i < values.length; i++) if (values[i]) found.push([i, values[i]]);
    if (!found.length) continue;
    const plane = cornerstone.metaData.get('imagePlaneModule', image.referencedImageId);
    frames.push({
      found, columns: image.columns, position: Array.from(plane.imagePositionPatient),
      row: Array.from(plane.rowCosines), column: Array.from(plane.columnCosines),
      across: plane.columnPixelSpacing, down: plane.rowPixelSpacing,
    });
  }
  return {names, frames};
}"""


_LOADED = """() => {
  const segmentation = services.segmentationService.getSegmentations()[0];
  const ids = segmentation?.representationData?.Labelmap?.imageIds ?? [];
  return ids.some(id =>
    cornerstone.cache.getImage(id)?.voxelManager.getScalarData().some(value => value));
}"""

_FOCUS = """(view) => {
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport(view);
  return Array.from(viewport.getCamera().focalPoint);
}"""


def open_segmentation(viewer: Ohif, description: str) -> None:
    """Double-clicks a SEG in the list of series and says yes to "open this segmentation?".

    Args:
        viewer: a page in the mode "Segmentation" with the study open.
        description: the SEG's SeriesDescription.
    """
    page = viewer.page
    line = page.locator("[data-cy=study-browser-thumbnail-no-image]", has_text=description)
    line.first.dblclick()
    yes = page.get_by_role("button", name="Yes", exact=True)
    yes.wait_for()
    yes.click()
    yes.wait_for(state="hidden")
    page.wait_for_function(_LOADED)


def jump_to(viewer: Ohif, series: Series, index: int, view: str | None = None) -> None:
    """Shows a slice of the series, whichever end the view counts its slices from.

    Args:
        viewer: a page with the series open.
        series: whose slice is meant.
        index: of the slice, in the order of ``series``.
        view: name of a view along the acquisition; None = the active one.

    Raises:
        ValueError: the view shows another slice either way.
    """
    view = view or viewer.active_view()
    last = series.shape[2] - 1
    for place in (index, last - index) * _TRIES:
        viewer.jump(place, view)
        shown = _settled(viewer, series, view, (index, last - index))
        if shown == index:
            return
    msg = f"OHIF shows slice {shown} where slice {index} was asked for."
    raise ValueError(msg)


def jump_to_label(
    viewer: Ohif, series: Series, index: int, *, least: int, view: str | None = None
) -> None:
    """Shows a slice with a label on it, and waits until the label is drawn over the image.

    A page was once seen, on a busy machine, that held the label and showed the slice and drew
    nothing over it. Then this does as a user does: turns to the next slice and back.

    Args:
        viewer: a page with the series open.
        series: whose slice is meant.
        index: of the slice, in the order of ``series``.
        least: pixels of the view that the label covers at least.
        view: name of a view along the acquisition; None = the active one.

    Raises:
        ValueError: no label is drawn there.
    """
    view = view or viewer.active_view()
    for _ in range(_TURNS):
        jump_to(viewer, series, index, view)
        if viewer.is_coloured(least, view, within_ms=_DRAWING_MS):
            return
        jump_to(viewer, series, index + 1 if index + 1 < series.shape[2] else index - 1, view)
    msg = f"OHIF draws no label of more than {least} pixels over slice {index}."
    raise ValueError(msg)


def _settled(viewer: Ohif, series: Series, view: str, wanted: tuple[int, int]) -> int:
    """The slice shown, once it is one of the two a jump leads to: a page loads it first."""
    deadline = time.monotonic() + _LOADING_S
    while (shown := slice_shown(viewer, series, view)) not in wanted:
        if time.monotonic() > deadline:
            break
        viewer.page.wait_for_timeout(100)
    return shown


def slice_shown(viewer: Ohif, series: Series, view: str) -> int:
    """Which slice of the series a view shows, by the point its camera looks at."""
    focus = np.asarray([*viewer.page.evaluate(_FOCUS, view), 1.0], np.float64)
    return int(np.rint((np.linalg.inv(series.affine_lps) @ focus)[2]))


def shown_classes(viewer: Ohif, series: Series, names: tuple[str, ...]) -> ClassMap:
    """The loaded segmentation on the series' grid, placed by the page's own geometry.

    Args:
        viewer: a page with one segmentation loaded.
        series: the images it lies on.
        names: names of the values, background first.
    """
    shown: dict[str, Any] = viewer.page.evaluate(_PLACED)
    value_of = {int(number): names.index(name) for number, name in shown["names"].items()}
    to_voxel = np.linalg.inv(series.affine_lps)
    classes = np.zeros(series.shape, np.uint8)
    for frame in shown["frames"]:
        flat, number = np.asarray(frame["found"]).T
        row, column = np.divmod(flat, int(frame["columns"]))
        lps = np.asarray(frame["position"])[:, None]
        lps = lps + np.outer(frame["row"], column * frame["across"])
        lps = lps + np.outer(frame["column"], row * frame["down"])
        exact = to_voxel[:3, :3] @ lps + to_voxel[:3, 3:]
        voxels = np.rint(exact).astype(int)
        if np.abs(exact - voxels).max() > 0.1:
            msg = "OHIF shows the segmentation between the voxels of its images."
            raise ValueError(msg)
        classes[tuple(voxels)] = [value_of[int(item)] for item in number]
    return classes
