"""``spss serve`` in a browser: OHIF logs in with the token, and the dashboard is read with it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests

from spss.cli.main import main
from spss_app.dicomweb.series import Series
from spss_app.train.held_out import is_held_out
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.labelled_series import labelled_series
from spss_apps.clients.labelling import infer, series_of, submit_plane
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.pacs_server import PacsServer

PICTURES = Path(__file__).parents[2] / "docs" / "img"

pytestmark = pytest.mark.parametrize("pacs_server", [True], indirect=True, ids=["serve"])


def test_nothing_is_answered_without_the_token(pacs_server: PacsServer) -> None:
    for path in ("/info/", "/ohif/", "/spss/overview", "/datastore/?output=all"):
        assert requests.get(pacs_server.url + path, timeout=60).status_code == 401, path


def test_ohif_logs_in_and_shows_the_result_on_the_right_voxels(
    pacs_server: PacsServer, viewer: Ohif, cohort: Cohort, tmp_path: Path
) -> None:
    series = series_of(pacs_server, cohort.uids["second"])
    drawn = submit_plane(pacs_server, series.SeriesInstanceUID, tmp_path, index=16)
    viewer.open(series.StudyInstanceUID)
    viewer.connect()
    assert viewer.models() == ["spss", "propagate"]
    viewer.run("propagate")
    expected = infer(pacs_server, "propagate", series.SeriesInstanceUID, tmp_path)
    shown = viewer.labelmap()
    for value, name in enumerate(("anterior", "posterior"), start=1):
        assert np.array_equal(shown[name], expected == value)
        assert np.array_equal(shown[name][:, :, 16], drawn[:, :, 16] == value)


def test_the_dashboard_shows_the_running_task_in_a_browser(
    pacs_server: PacsServer,
    viewer: Ohif,
    data: Path,
    new_series: Callable[..., Series],
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number, labelled in enumerate(labelled_series(data, 11)):
        judge = number % 4 == 3
        series = new_series(
            datasets=labelled.datasets,
            accept=lambda uid, judge=judge: is_held_out(uid, 0.2) == judge,
        )
        planes = [(2, labelled.fullest_slice), *([(0, series.shape[0] // 2)] if not number else [])]
        for axis, index in planes:
            options = {"axis": axis, "index": index, "truth": labelled.classes}
            submit_plane(pacs_server, series.uid, tmp_path, **options)
    train(pacs_server, iterations=80 if pictures == PICTURES else 20)
    monkeypatch.setenv("SPSS_TOKEN", pacs_server.token)
    page = tmp_path / "dashboard.html"
    assert main(["dashboard", "--server", pacs_server.url, "--out", str(page)]) == 0
    asked: list[str] = []
    viewer.page.on("request", lambda request: asked.append(request.url))
    viewer.page.goto(page.as_uri())
    figures = viewer.page.locator(".planes figure")
    assert figures.count() >= 2
    broken = "() => [...document.images].filter(image => !image.naturalWidth).length"
    assert viewer.page.evaluate(broken) == 0
    states = viewer.page.locator("table.volumes td:nth-child(2)").all_inner_texts()
    assert "2 planes" in [text.strip() for text in states]
    assert viewer.page.get_by_text("is in use", exact=False).count() >= 1
    tile = viewer.page.locator(".tiles div", has_text="held-out Dice of the network in use")
    assert re.match(r"0\.\d{3}", tile.inner_text())
    assert viewer.page.locator("td", has_text=", held out").count() >= 2
    assert viewer.page.locator("img[alt='Training curve']").count() == 1
    assert all(url.startswith(("file:", "data:")) for url in asked)
    viewer.page.screenshot(path=str(pictures / "dashboard.png"), full_page=True)


def train(pacs_server: PacsServer, *, iterations: int) -> None:
    """Trains until the network is published."""
    options = {"iterations": iterations, "method": "masked", "device": "cpu"}
    with pacs_server.session() as session:
        url = f"{pacs_server.url}/train/"
        session.post(f"{url}spss", json=options, timeout=60).raise_for_status()
        for _ in range(900):
            asked = {"check_if_running": True}
            if session.get(url, params=asked, timeout=60).status_code != 200:
                return
            time.sleep(1)
    pytest.fail("the training did not end")
