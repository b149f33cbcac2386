"""Registration networks against flow, on phantoms."""

import argparse
import json

from spss.datasets import make_phantoms
from spss_apps.benchmarks import registration


def test_networks_are_trained_kept_and_measured_beside_flow(tmp_path):
    make_phantoms(tmp_path / "data" / "Task04_Hippocampus", 60, shape=(16, 20, 16), seed=3)
    parser = argparse.ArgumentParser()
    registration.add_arguments(parser)
    options = {
        "--data": tmp_path / "data",
        "--steps": 3,
        "--every": 20,
        "--folder": tmp_path / "runs",
        "--page": tmp_path / "page.md",
    }
    arguments = [str(part) for option in options.items() for part in option]
    assert registration.run(parser.parse_args(arguments)) == 0
    kept = json.loads((tmp_path / "runs" / "rows.json").read_text())
    assert len(kept["rows"]) == 2 * 3 * 4
    assert set(kept["seconds"]["hippocampus"]) == {"plain", "diffeomorphic", "refined by labels"}
    page = (tmp_path / "page.md").read_text()
    for name in ("optical flow", "plain", "diffeomorphic", "refined by labels"):
        assert f"| hippocampus | {name} |" in page
