"""OHIF in a headless Chromium: the viewer that MONAI Label serves, used as a radiologist would."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss_apps.clients.ohif_scripts import (
    COLOURED,
    DRAWN,
    JUMP,
    LABELMAP,
    LABELMAP_THERE,
    SHOWN,
)

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",  # 64 MB in a container
)
"""Software rendering; OHIF's volume views need WebGL."""

WAIT_MS = 400_000

_SETTLE_MS = 300

_TAKEN = "updated the segmentation's scalar data"
"""What the panel writes to the console when it has put a result into the views."""


def why_not() -> str | None:
    """Why the browser cannot be started on this machine, or None if it can."""
    if importlib.util.find_spec("playwright") is None:
        return "the Python package playwright is missing: pip install playwright"
    if shutil.which("chromium") is None:
        return "Chromium is missing: apt-get install chromium"
    return None


class Ohif:
    """A page of OHIF's MONAI Label mode; use it as a context manager.

    Args:
        server: the MONAI Label server's address, which also serves the viewer.
        token: typed as the password when the browser asks for a login.
    """

    def __init__(self, server: str, token: str = "") -> None:
        self.server = server.rstrip("/")
        self._login = {"username": "anna", "password": token} if token else None
        self.log: list[str] = []

    def __enter__(self) -> Ohif:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS), headless=True
        )
        self.page = self._browser.new_page(
            viewport={"width": 1400, "height": 900}, http_credentials=self._login
        )
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", lambda message: self.log.append(message.text[:300]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._browser.close()
        self._playwright.stop()

    def open(self, study_uid: str) -> None:
        """Opens a study and waits until its images are drawn."""
        self.page.goto(f"{self.server}/ohif/monai-label?StudyInstanceUIDs={study_uid}")
        self.page.get_by_text("Confirm and Hide").click()
        self.wait_for_images()

    def wait_for_images(self) -> None:
        """Waits until every view shows something and nothing more is being loaded."""
        self.page.wait_for_function("() => globalThis.services?.displaySetService !== undefined")
        self.page.wait_for_function(f"() => ({SHOWN})().length > 0")
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function(DRAWN)

    def connect(self) -> None:
        """Types the server's address into the panel and presses the round arrow."""
        self.page.fill("#monailabelServerURL", self.server + "/")
        with self.page.expect_response(lambda answer: "/info/" in answer.url):
            self.page.click(".settingsTable button.actionButton")
        self.page.wait_for_selector(".modelSelector", state="attached")
        self.page.wait_for_function(LABELMAP_THERE)

    def shown_series(self) -> set[str]:
        """SeriesInstanceUIDs in the views."""
        return set(self.page.evaluate(SHOWN))

    def models(self) -> list[str]:
        """What the box of "Auto-Segmentation" offers."""
        return self._options(".modelSelector select")

    def strategies(self) -> list[str]:
        """What the box of "Active Learning" offers."""
        return self._options(".optionsTable select")

    def run(self, model: str) -> None:
        """Chooses a model, presses Run, and waits for the result in the views."""
        self.page.locator(".modelSelector select").first.select_option(model)
        with self.page.expect_console_message(lambda message: _TAKEN in message.text):
            with self.page.expect_response(lambda said: f"/infer/{model}" in said.url) as answer:
                self.page.click(".modelSelector button:has-text('Run')")
            if answer.value.status != 200:
                msg = f"{model} answered HTTP {answer.value.status}: {answer.value.text()}"
                raise RuntimeError(msg)

    def open_active_learning(self) -> None:
        """Unfolds the section."""
        self.page.locator("label.tab-label", has_text="Active Learning").click()
        self.page.get_by_role("button", name="Next Sample").wait_for()

    def next_sample(self, strategy: str) -> dict[str, str]:
        """Presses Next Sample and reads the table that the panel shows; leaves it open."""
        self.page.locator(".optionsTable select").first.select_option(strategy)
        with self.page.expect_response(lambda answer: "/activelearning/" in answer.url):
            self.page.get_by_role("button", name="Next Sample").click()
        rows = self.page.locator(".nextSampleForm tbody tr")
        rows.first.wait_for()
        cells = (row.locator("td").all_inner_texts() for row in rows.all())
        return dict(cells)

    def press_training(self) -> str:
        """Presses Update Model or Stop Training; returns the words now on the button."""
        button = self.page.locator(
            "button:has-text('Update Model'), button:has-text('Stop Training')"
        )
        before = str(button.first.inner_text())
        with self.page.expect_response(lambda answer: "/train/" in answer.url):
            button.first.click()
        self.page.locator("button", has_text=before).wait_for(state="detached")
        return str(button.first.inner_text())

    def bars(self) -> dict[str, str]:
        """The three bars of "Active Learning" and their tool tips."""
        rows = self.page.locator(".optionsTable tr:has(.w3-round)")
        return {
            row.locator("td").first.inner_text().rstrip(":"): (
                f"{row.locator('.w3-center').inner_text()} "
                f"({row.locator('td').nth(1).get_attribute('title')})"
            )
            for row in rows.all()
        }

    def show_bars(self) -> None:
        """Drags over the bars, whose figures are white on white: selected, they can be read."""
        cells = self.page.locator(".optionsTable tr:has(.w3-round) td")
        first, last = cells.first.bounding_box(), cells.last.bounding_box()
        self.page.mouse.move(first["x"] + 2, first["y"] + 4)
        self.page.mouse.down()
        self.page.mouse.move(last["x"] + last["width"] - 4, last["y"] + last["height"] - 4, steps=5)
        self.page.mouse.up()

    def labelmap(self) -> dict[str, NDArray[np.bool_]]:
        """The segmentation in the page: name → ``(I, J, K)`` mask; empty names are left out."""
        found: dict[str, Any] | None = self.page.evaluate(LABELMAP)
        if found is None:
            return {}
        columns, rows, slices = (int(size) for size in found["size"])
        values = np.zeros(columns * rows * slices, np.uint8)
        for index, value in found["found"]:
            values[index] = value
        values = values.reshape(slices, rows, columns).T
        return {
            name: values == int(number)
            for number, name in found["names"].items()
            if (values == int(number)).any()
        }

    def active_view(self) -> str:
        """Name of the view with the frame around it."""
        grid = "services.viewportGridService.getState().activeViewportId"
        return str(self.page.evaluate(f"() => {grid}"))

    def jump(self, index: int, view: str = "mpr-axial") -> None:
        """Shows a slice of the acquisition."""
        self.page.evaluate(JUMP, [view, index])
        self.page.wait_for_timeout(_SETTLE_MS)  # a view is drawn with one of the next frames

    def is_coloured(self, least: int, view: str, *, within_ms: int) -> bool:
        """Whether a segmentation covers more than ``least`` pixels of a view, now or soon."""
        from playwright.sync_api import TimeoutError as NotInTime

        wait = f"([view, least]) => ({COLOURED})(view) > least"
        try:
            self.page.wait_for_function(wait, arg=[view, least], timeout=within_ms)
        except NotInTime:
            return False
        return True

    def coloured_pixels(self, view: str = "mpr-axial") -> int:
        """Pixels of a view that are not grey, which on MR and CT only a segmentation makes."""
        return int(self.page.evaluate(COLOURED, view))

    def screenshot(self, path: Path) -> None:
        """Saves what is on screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))

    def _options(self, selector: str) -> list[str]:
        texts = self.page.locator(selector).first.locator("option").all_inner_texts()
        return [text.strip() for text in texts]
