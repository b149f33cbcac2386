"""A network and one drawn plane, measured together on phantoms."""

import argparse
import json

import numpy as np

from spss.datasets import load_label_of, make_budget, make_phantoms, open_decathlon, split
from spss.training import TrainingCase, train
from spss_apps.benchmarks import joining


def test_all_four_ways_are_measured_and_the_truth_is_used_on_the_plane_alone(tmp_path, capsys):
    root = make_phantoms(tmp_path / "Set", 10, shape=(16, 20, 16), seed=1).root
    dataset = open_decathlon(root)
    annotations = make_budget(dataset, "1x4", 0, 0)
    cases = [
        TrainingCase(
            case.name, case.image, load_label_of(case, annotations, class_count=len(NAMES))
        )
        for case in map(dataset.case, split(dataset)["train"])
    ]
    options = {"iterations": 3, "precision": "float32", "memory_gb": 2.0, "device": "cpu"}
    train(cases, dataset.class_names, out=tmp_path / "model", method="masked", **options)
    parser = argparse.ArgumentParser()
    joining.add_arguments(parser)
    args = parser.parse_args(
        [
            *("--models", str(tmp_path / "model"), "--data", str(root)),
            *("--folder", str(tmp_path / "runs"), "--page", str(tmp_path / "page.md")),
        ]
    )
    assert joining.run(args) == 0
    rows = json.loads((tmp_path / "runs" / "joining-Set.json").read_text())["rows"]
    assert [row["volume"] for row in rows] == list(split(dataset)["test"])
    means = {way: np.mean([row["dice"][way] for row in rows]) for way in joining.WAYS}
    assert means["drawn plane put in"] > means["network alone"]
    assert means["plane alone"] > 0.2
    page = (tmp_path / "page.md").read_text()
    assert "| model | network alone |" in page
    assert "| plane alone |" in page
    assert "| joined, model |" in page


NAMES = ("background", "front", "back")
