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
    page = (tmp_path / "page.md").read_text()
    for name in registration.PROPAGATORS:
        kept = json.loads((tmp_path / "runs" / f"hippocampus-{name}.json").read_text())
        assert len(kept["rows"]) == 2 * 3
        assert (kept["seconds"] > 0) == (name != "optical flow")
        assert f"| hippocampus | {name} |" in page


def test_networks_measured_before_stay_in_the_table(tmp_path):
    row = {"volume": "a", "dice": [0.5, 0.7], "ms_per_slice": 2.0}
    for name, gain in (("optical flow", 0.0), ("plain", 0.1)):
        rows = [
            {**row, "volume": volume, "end_rule": rule, "dice": [0.5 + gain, 0.7 + gain]}
            for volume in ("a", "b")
            for rule in ("none", "simple", "learned")
        ]
        result = {"set": "acdc", "network": name, "seconds": 5, "command": name, "rows": rows}
        (tmp_path / f"acdc-{name}.json").write_text(json.dumps(result))
    parser = argparse.ArgumentParser()
    registration.add_arguments(parser)
    arguments = ["--report-only", "--folder", str(tmp_path), "--page", str(tmp_path / "page.md")]
    assert registration.run(parser.parse_args(arguments)) == 0
    table = (tmp_path / "page.md").read_text()
    assert "| acdc | optical flow | - | 0.600 | 0.600 | 0.600 |  | 2.0 | 2 |" in table
    assert "| acdc | plain | 5 | 0.700 | 0.700 | 0.700 | +0.100 ± 0.000 | 2.0 | 2 |" in table
