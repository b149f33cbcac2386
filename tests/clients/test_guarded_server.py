"""``spss serve`` in a browser: OHIF logs in with the token, and the dashboard is read with it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import requests

from spss.cli.main import main
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.labelling import infer, series_of, submit_plane
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.pacs_server import PacsServer

pytestmark = pytest.mark.parametrize(
    "pacs_server", [True], indirect=True, ids=["serve"], scope="module"
)


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
    cohort: Cohort,
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for role, axis in (("first", 2), ("first", 0), ("third", 1)):
        submit_plane(pacs_server, cohort.uids[role], tmp_path, axis=axis)
    train(pacs_server)
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
    assert viewer.page.locator("img[alt='Training curve']").count() == 1
    assert all(url.startswith(("file:", "data:")) for url in asked)
    viewer.page.screenshot(path=str(pictures / "dashboard.png"), full_page=True)


def train(pacs_server: PacsServer) -> None:
    """A few iterations, until the network is published."""
    with pacs_server.session() as session:
        options = {"iterations": 20, "method": "masked", "device": "cpu"}
        session.post(f"{pacs_server.url}/train/spss", json=options, timeout=60).raise_for_status()
        for _ in range(900):
            stats = session.get(f"{pacs_server.url}/info/", timeout=60).json()["train_stats"]
            if stats["spss"].get("total_time"):
                return
            time.sleep(1)
    pytest.fail(f"the training did not end: {stats}")
