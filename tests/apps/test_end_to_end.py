"""The real server, MONAI Label's real client, one small round on phantoms."""

import gc
import json
import re
from argparse import ArgumentParser

import pytest

from spss.datasets import make_phantoms
from spss_apps import demo

pytestmark = [
    pytest.mark.slow,
    # MONAI Label's client never closes its connections
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(?s).*unclosed:pytest.PytestUnraisableExceptionWarning"),
    # MONAI's metrics use an argument of their own that MONAI deprecates
    pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A demo run: 2 planes, a few seconds of training, measured on unseen volumes."""
    root = tmp_path_factory.mktemp("end to end")
    make_phantoms(root / "phantoms", 10, shape=(24, 24, 24), seed=3)
    parser = ArgumentParser()
    demo.add_arguments(parser)
    options = ["--rounds", "1", "--planes", "3", "--minutes", "0.3", "--test-volumes", "2"]
    paths = ["--data", str(root / "phantoms"), "--out", str(root / "out")]
    status = demo.run(parser.parse_args([*options, *paths]))
    record = json.loads((root / "out" / "demo.json").read_text(encoding="utf-8"))
    gc.collect()  # what the client left open is reported here, not in another test
    return root / "out", status, record


def test_the_loop_ends_well(finished):
    _, status, record = finished
    assert status == 0
    assert [item["planes_in_all"] for item in record["rounds"]] == [3]


def test_each_plane_is_suggested_in_another_volume_and_understood(finished):
    _, _, record = finished
    planes = record["rounds"][0]["planes"]
    assert len({plane["image"] for plane in planes}) == 3
    for plane in planes:
        assert str(plane["index"]) in plane["understood"]
        assert plane["reason"]


def test_a_drawn_plane_becomes_a_volume_better_than_chance(finished):
    _, _, record = finished
    assert max(plane["draft_dice"] for plane in record["rounds"][0]["planes"]) > 0.4


def test_the_model_segments_volumes_the_server_never_saw(finished):
    _, _, record = finished
    assert record["rounds"][0]["test_dice"]["mean"] > 0.2


def test_the_server_kept_only_the_drawn_planes(finished):
    out, _, record = finished
    drawn = {plane["image"] for plane in record["rounds"][0]["planes"]}
    images = {path.name.removesuffix(".nii.gz") for path in (out / "studies").glob("*.nii.gz")}
    assert drawn < images


def test_the_report_shows_every_plane(finished):
    out, _, record = finished
    html = (out / "report.html").read_text(encoding="utf-8")
    for plane in record["rounds"][0]["planes"]:
        assert f"plane {plane['index']} of {plane['image']}" in html
    assert len(re.findall("<img ", html)) == 1 + 3 + 3
