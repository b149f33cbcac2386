from __future__ import annotations

import argparse

import numpy as np
import pytest

from spss.datasets import make_phantoms
from spss.errors import InputError
from spss_apps.benchmarks import propagation
from spss_apps.benchmarks.propagation_measure import between_planes, dice
from spss_apps.benchmarks.propagation_table import (
    END,
    START,
    auroc,
    calibration_error,
    write_section,
)


def _arguments(*given):
    parser = argparse.ArgumentParser()
    propagation.add_arguments(parser)
    return parser.parse_args([str(each) for each in given])


def test_it_measures_reports_and_does_not_repeat(tmp_path):
    make_phantoms(tmp_path / "data" / "Task04_Hippocampus", 2, shape=(20, 24, 20), seed=3)
    page = tmp_path / "docs" / "benchmarks.md"
    page.parent.mkdir()
    arguments = _arguments(
        *("--data", tmp_path / "data", "--sets", "hippocampus", "--costly-every", 0),
        *("--folder", tmp_path / "rows", "--page", page, "--threads", 1),
    )

    assert propagation.run(arguments) == 0
    rows = propagation.read_rows(tmp_path / "rows" / "rows_0.jsonl")
    assert propagation.run(arguments) == 0

    assert propagation.read_rows(tmp_path / "rows" / "rows_0.jsonl") == rows
    methods = {(row["propagator"], row["end_rule"]) for row in rows if row["kind"] == "one"}
    assert methods == set(propagation.CHEAP)
    assert "| hippocampus | auto | learned |" in page.read_text(encoding="utf-8")
    images = {path.name for path in (page.parent / "img").iterdir()}
    assert images == {
        "propagation_hippocampus_distance.png",
        "propagation_hippocampus_examples.png",
    }


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        propagation.run(_arguments("--data", tmp_path / "nowhere"))


def test_the_section_is_replaced_and_its_neighbours_stay(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{START}\nold\n{END}\n\nafter\n", encoding="utf-8")
    write_section(page, "new")
    assert page.read_text(encoding="utf-8") == f"# Page\n\n{START}\nnew\n{END}\n\nafter\n"


def test_auroc_and_calibration_of_known_forecasts():
    rng = np.random.default_rng(0)
    score = rng.random(50_000)
    right = (rng.random(score.size) < score).astype(float)
    assert calibration_error(score, right) < 0.01
    assert calibration_error(score**3, right) > 0.1
    assert auroc(right, right) == 1
    assert auroc(rng.random(score.size), right) == pytest.approx(0.5, abs=0.01)


def test_only_slices_between_drawn_ones_count():
    where = between_planes((10, 2, 2), 0, [2, 6])
    assert np.flatnonzero(where[:, 0, 0]).tolist() == [3, 4, 5]
    nothing = np.zeros((2, 2, 2), np.uint8)
    assert dice(nothing, nothing, 2, np.ones((2, 2, 2), bool)) == [1.0]
