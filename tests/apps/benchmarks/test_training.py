import argparse
import json

import numpy as np
import pytest

from spss.datasets import make_phantoms
from spss.errors import InputError
from spss_apps.benchmarks import training
from spss_apps.benchmarks.training_page import write_section
from spss_apps.benchmarks.training_table import interval, paired_difference, table

START, END = "<!-- training:start -->", "<!-- training:end -->"


def _arguments(*words):
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)
    return parser.parse_args(words)


def _document(method, seed, dice):
    cases = {f"case{i}": {"dice": [value, value]} for i, value in enumerate(dice)}
    one = {metric: {"mean": float(np.mean(dice))} for metric in ("dice", "hd95_mm", "asd_mm")}
    return {
        "run": {
            **{"data": "d/Set", "budget": "1x20", "axis": 0, "method": method, "seed": seed},
            **{"iterations": 10, "minutes": None},
        },
        "summary": {"front": one, "mean": one},
        "cases": cases,
        "iterations": 10,
        "training_seconds": 1.0,
        "peak_rss_gb": 2.0,
    }


def test_every_method_runs_on_every_budget_with_every_seed():
    runs = training.planned_runs(
        _arguments(
            "--methods", "masked", "pseudo", "--budgets", "1x20", "full", "--seeds", "0", "1"
        )
    )
    assert len({run.name for run in runs}) == 8
    assert {run.iterations for run in runs} == {training.DEFAULT_ITERATIONS}


def test_minutes_replace_iterations():
    runs = training.planned_runs(_arguments("--minutes", "2.5"))
    assert {(run.iterations, run.minutes) for run in runs} == {(None, 2.5)}


def test_the_interval_is_student_t_over_seeds():
    mean, half = interval([0.8, 0.82, 0.84])
    assert mean == pytest.approx(0.82)
    assert half == pytest.approx(4.3027 * 0.02 / np.sqrt(3), rel=1e-4)
    assert np.isnan(interval([0.8])[1])


def test_differences_are_paired_over_seeds_and_cases():
    ours = [_document("a", seed, [0.9, 0.5 + seed / 100]) for seed in range(3)]
    theirs = [_document("b", seed, [0.8, 0.4 + seed / 100]) for seed in range(3)]
    gap = paired_difference(ours, theirs)
    assert gap.mean == pytest.approx(0.1)
    assert gap.pairs == pytest.approx(0.0, abs=1e-9)
    assert gap.seeds == pytest.approx(0.0, abs=1e-9)
    assert paired_difference(ours, [_document("b", 9, [0.1, 0.1])]) is None


def test_the_default_method_is_compared_also_where_another_is_ahead():
    runs = [_document("spss", 0, [0.7, 0.5]), _document("masked", 0, [0.8, 0.7])]
    assert "spss minus masked = -0.150" in training.differences(runs)
    others = [_document("pseudo", 0, [0.7, 0.5]), _document("masked", 0, [0.8, 0.7])]
    assert "masked minus pseudo = +0.150" in training.differences(others)


def test_seeds_that_disagree_widen_the_interval_over_seeds_most():
    ours = [_document("a", seed, [0.8 + 0.02 * seed] * 10) for seed in range(3)]
    theirs = [_document("b", seed, [0.8] * 10) for seed in range(3)]
    gap = paired_difference(ours, theirs)
    assert gap.seeds > 5 * gap.pairs > 0
    assert "over seeds" in str(gap)
    assert "over seeds" not in str(paired_difference(ours[:1], theirs[:1]))


def test_the_table_has_a_row_per_method_with_its_weak_cases():
    rows = table([_document("masked", seed, [0.2, 0.6]) for seed in range(3)]).splitlines()
    assert len(rows) == 3
    assert "**0.400** ± 0.000" in rows[2]
    assert "0.200" in rows[2]


def test_the_page_keeps_what_others_wrote(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Benchmarks\n\nbefore\n{START}\nold\n{END}\nafter\n", encoding="utf-8")
    write_section(page, "new \\1 numbers")
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "new \\1 numbers" in text
    assert text.startswith("# Benchmarks\n\nbefore")
    assert text.endswith("after\n")


def test_an_absent_data_set_is_named(tmp_path):
    with pytest.raises(InputError, match="There is no data set"):
        training.run(_arguments("--data", str(tmp_path / "nowhere")))


@pytest.mark.slow
def test_a_benchmark_runs_reports_and_does_not_repeat_itself(tmp_path, capsys):
    make_phantoms(tmp_path / "data", 10, shape=(12, 12, 12))
    arguments = _arguments(
        "--data", str(tmp_path / "data"), "--methods", "masked", "--budgets", "1x2", "--seeds", "0",
        "--iterations", "2", "--device", "cpu", "--folder", str(tmp_path / "runs"),
        "--page", str(tmp_path / "docs" / "benchmarks.md"),
    )  # fmt: skip
    assert training.run(arguments) == 0
    written = list((tmp_path / "runs").glob("*.json"))
    document = json.loads(written[0].read_text(encoding="utf-8"))
    assert document["peak_rss_gb"] > 0.1
    assert document["cases"]
    before = written[0].stat().st_mtime_ns
    assert training.run(arguments) == 0
    assert written[0].stat().st_mtime_ns == before
    assert "| masked |" in (tmp_path / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_lengths_of_training_are_reported_apart_and_dense_labels_beside_them(tmp_path):
    documents = [_document("spss", seed, [0.8, 0.9]) for seed in range(3)]
    documents += [_document("masked", seed, [0.7, 0.7]) for seed in range(3)]
    short = _document("spss", 0, [0.5, 0.6])
    short["run"].update(iterations=None, minutes=5.0)
    dense = _document("masked", 0, [0.95, 0.95])
    dense["run"]["budget"] = "full20"
    text = training.report([*documents, short, dense], tmp_path)
    steps, minutes = text.split("### 5 minutes")
    assert "| method" in steps
    assert "0.850 ± 0.000 | 0.700 ± 0.000 | 0.950 (1 seed) |" in steps
    assert "--minutes 5\n```" in minutes
    assert "0.550 (1 seed)" in minutes
    assert "0.850" not in minutes
    drawn = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert drawn.keys() == {"training_10_steps.png"}  # a single run needs no figure
    assert drawn["training_10_steps.png"] > 1000
