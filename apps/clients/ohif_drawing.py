"""Drawing in OHIF's Segmentation mode and storing the result in the PACS, by mouse and menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spss_apps.clients.ohif import Ohif

_SETTLE_MS = 300
_LOOKS = 400  # two minutes
_Seen = TypeVar("_Seen")

_DRAWN = """(index) => {
  const all = services.segmentationService.getSegmentations();
  const image = cornerstone.cache.getImage(all[0].representationData.Labelmap.imageIds[index]);
  const values = image.voxelManager.getScalarData();
  const found = [];
  for (let i = 0; i < values.length; i++) if (values[i]) found.push(i);
  return [[image.columns, image.rows], found];
}"""


def open_to_draw(viewer: Ohif, study_uid: str) -> None:
    """Opens a study in the mode "Segmentation", which can draw and store; the panel cannot."""
    page = viewer.page
    page.goto(f"{viewer.server}/ohif/segmentation?StudyInstanceUIDs={study_uid}")
    page.get_by_text("Confirm and Hide").click()
    page.wait_for_selector("[data-cy=study-browser-thumbnail]")
    viewer.wait_for_images()


def draw(viewer: Ohif, segment: str, *, index: int, radius_mm: float = 5.0) -> NDArray[np.bool_]:
    """Adds a segmentation with one segment and brushes a stroke across the middle of a slice.

    Returns:
        ``(columns, rows)`` mask of what is coloured on that slice.

    Args:
        viewer: a page in the mode "Segmentation".
        segment: the segment's name, which must be one of the task's structures.
        index: slice of the acquisition, from 0.
        radius_mm: radius of the brush.
    """
    page = viewer.page
    page.get_by_text("Add Segmentation").click()
    row = page.locator("[data-cy=data-row]")
    row.wait_for()
    row.hover()
    row.locator("button").last.click()
    page.get_by_role("menuitem", name="Rename").click()
    _answer_dialog(viewer, segment)
    page.locator("[data-cy=Brush]").click()
    field = page.locator("div:has(> span:text('Radius (mm)')) input, input").last
    field.fill(str(radius_mm))
    field.press("Enter")
    viewer.jump(index, viewer.active_view())
    box = page.locator(".cornerstone-canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=6)
    page.mouse.up()
    page.wait_for_function(f"(index) => ({_DRAWN})(index)[1].length > 0", arg=index)
    size, coloured = _when_still(lambda: page.evaluate(_DRAWN, index), viewer)
    mask = np.zeros(size[0] * size[1], bool)
    mask[coloured] = True
    return mask.reshape(size[1], size[0]).T


def download(viewer: Ohif, folder: Path, title: str = "Segmentation 1") -> Path:
    """The menu "… > Export & Download > Download DICOM SEG"; returns the file.

    "Export DICOM SEG" would store it directly, but ends with an error page in the build that MONAI
    Label 0.8.5 serves: it looks for a second data source that the build does not have.
    """
    page = viewer.page
    box = page.locator("button[role=combobox]", has_text=title).last
    box.locator("xpath=preceding::button[1]").click()
    # By keyboard: the submenu of a hovered item may close while the mouse is on its way.
    page.get_by_role("menuitem", name="Export & Download").press("ArrowRight")
    with page.expect_download() as started:
        page.get_by_role("menuitem", name="Download DICOM SEG").press("Enter")
    file = folder / (started.value.suggested_filename or "segmentation.dcm")
    started.value.save_as(file)
    return file


def upload(viewer: Ohif, file: Path) -> None:
    """The study list's "Upload": stores a file in the PACS."""
    page = viewer.page
    page.goto(f"{viewer.server}/ohif/")
    page.get_by_text("Upload", exact=True).first.click()
    with page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        page.locator("input[type=file]").first.set_input_files(str(file))
    if not answer.value.ok:
        msg = f"The PACS answered HTTP {answer.value.status}: {answer.value.text()[:200]}"
        raise RuntimeError(msg)


def _when_still(look: Callable[[], _Seen], viewer: Ohif) -> _Seen:
    """What is seen when two looks in a row see the same."""
    before = look()
    for _ in range(_LOOKS):
        viewer.page.wait_for_timeout(_SETTLE_MS)
        now = look()
        if now == before:
            return now
        before = now
    msg = f"OHIF's page still changed after {_LOOKS * _SETTLE_MS / 1000:.0f} seconds."
    raise RuntimeError(msg)


def _answer_dialog(viewer: Ohif, text: str) -> None:
    """Types into the dialog that is open, whose box of text is the page's last, and saves."""
    save = viewer.page.get_by_role("button", name="Save")
    save.wait_for()
    viewer.page.locator("input[type=text]").last.fill(text)
    save.click()
    save.wait_for(state="hidden")
