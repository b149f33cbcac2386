"""Ablation and curves: which trainings they ask for, and what they make of the results."""

import argparse
import json
from dataclasses import asdict

import numpy as np
import pytest

from spss_apps.benchmarks import ablation, curves, training_jobs
from spss_apps.benchmarks.ablation_report import draw, report


@pytest.fixture
def arguments(tmp_path):
    """Parses options of a study whose results go to a folder of their own."""

    def parse(study, *words):
        parser = argparse.ArgumentParser()
        study.add_arguments(parser)
        places = ["--data", tmp_path, "--folder", tmp_path / "runs"]
        places += ["--page", tmp_path / "docs" / "page.md"]
        return parser.parse_args([*map(str, places), *words])

    return parse


@pytest.fixture
def trained(monkeypatch):
    """Replaces a training by a Dice that tells which one it would have been."""
    done = []

    def run_one(run, folder, module):
        done.append(run)
        dice = 0.8 + run.seed / 100 - 0.05 * bool(run.constants) - 0.02 * (run.iterations > 10)
        one = {metric: {"mean": dice} for metric in ("dice", "hd95_mm", "asd_mm")}
        document = {
            "run": asdict(run),
            "summary": {"front": one, "mean": one},
            "cases": {f"case{i}": {"dice": [dice + i / 100]} for i in range(3)},
        }
        (folder / f"{run.name}.json").write_text(json.dumps(document), encoding="utf-8")
        return ""

    monkeypatch.setattr(training_jobs, "_run_one", run_one)
    return done


def test_an_ablation_pairs_every_variant_with_its_whole(arguments, trained, tmp_path, capsys):
    options = ["--only", "no_su", "fixed_but_a1", "--iterations", "5", "--jobs", "1"]
    assert ablation.run(arguments(ablation, *options)) == 0
    assert len(trained) == 4 * 3  # two wholes and a variant of each, three seeds
    page = (tmp_path / "docs" / "page.md").read_text(encoding="utf-8")
    assert "| spss:no_su | selection=False | 3 | 0.760 | " in page
    assert "-0.050 ± 0.000 |" in page
    assert page.count("**spss") == 2
    assert "| spss_reference:fixed_but_a1 | a1_integer_weights=True | 3 | " in page
    assert "--studies spss --seeds 0 1 2 --only no_su\n" in page
    assert "--studies spss_reference --seeds 0 1 2 --only fixed_but_a1\n" in page
    for method in ("spss", "spss_reference"):
        assert (tmp_path / "docs" / "img" / f"ablation_{method}.png").stat().st_size > 5000


def test_studies_of_other_lengths_leave_each_other_on_the_page(arguments, trained, tmp_path):
    options = ["--only", "no_su", "fixed_but_a1", "--seeds", "0", "--jobs", "1"]
    ablation.run(arguments(ablation, *options, "--studies", "spss", "--iterations", "7"))
    ablation.run(arguments(ablation, *options, "--studies", "spss_reference", "--iterations", "5"))
    page = (tmp_path / "docs" / "page.md").read_text(encoding="utf-8")
    assert "--iterations 7 --studies spss " in page
    assert "--iterations 5 --studies spss_reference " in page


def test_finished_runs_are_not_repeated_and_may_lie_elsewhere(arguments, trained, tmp_path):
    options = ["--studies", "spss", "--only", "no_su", "--seeds", "0", "--jobs", "1"]
    ablation.run(arguments(ablation, *options))
    assert len(trained) == 2
    ablation.run(arguments(ablation, *options))
    assert len(trained) == 2
    other = arguments(ablation, *options, "--reuse", str(tmp_path / "runs"))
    other.folder = tmp_path / "empty"
    ablation.run(other)
    assert len(trained) == 2
    assert "no_su" in other.page.read_text(encoding="utf-8")


def test_every_variant_of_the_ablation_is_one_that_its_method_knows():
    for whole, others in ablation.STUDIES.values():
        labels = [variant.label for variant in (whole, *others)]
        assert len(set(labels)) == len(labels)
        for variant in (whole, *others):
            from spss.methods.constants import make_config

            config = make_config(variant.method, variant.constants)
            for name, value in variant.constants.items():
                assert getattr(config, name) == value != getattr(type(config)(), name) or (
                    variant.method == "spss_reference"
                )


def test_a_variant_without_a_common_seed_has_no_difference(tmp_path):
    def runs(seed):
        one = {"dice": {"mean": 0.5}}
        return [{"run": {"seed": seed}, "summary": {"mean": one}, "cases": {"a": {"dice": [0.5]}}}]

    whole, other = ablation.STUDIES["spss"][0], ablation.SPSS_VARIANTS[0]
    base = runs(0)
    rows = [(whole, base, base), (other, runs(1), base)]
    assert "+nan" in report(rows, "command")
    draw(rows, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").is_file()


def test_curves_take_every_method_to_every_length_and_say_how_far_it_falls(
    arguments, trained, tmp_path, capsys
):
    options = ["--methods", "pseudo", "spss:weak:noise=0.2", "--multiples", "0.5", "1", "2"]
    assert curves.run(arguments(curves, *options, "--iterations", "10", "--jobs", "1")) == 0
    assert len(trained) == 2 * 3 * 3
    assert {run.iterations for run in trained} == {5, 10, 20}
    page = (tmp_path / "docs" / "page.md").read_text(encoding="utf-8")
    assert "| method | 0.5x (5 steps) | 1x (10 steps) | 2x (20 steps) | below its best |" in page
    assert "| pseudo | 0.810 ± 0.025 | 0.810 ± 0.025 | 0.790 ± 0.025 | 0.020 |" in page
    assert "| spss:weak |" in page
    assert (tmp_path / "docs" / "img" / "training_curves.png").stat().st_size > 5000


def runs_of(**dice_of_seed):
    """Finished runs, as far as a curve reads them: seed0=0.7 is seed 0 with a Dice of 0.7."""
    return [
        {"run": {"seed": int(seed[-1])}, "summary": {"mean": {"dice": {"mean": dice}}}}
        for seed, dice in dice_of_seed.items()
    ]


def test_a_curve_that_rises_falls_by_nothing():
    assert curves.fall({0.5: runs_of(seed0=0.7), 1.0: runs_of(seed0=0.8)}) == 0
    fallen = {0.5: runs_of(seed0=0.7), 1.0: runs_of(seed0=0.8), 2.0: runs_of(seed0=0.75)}
    assert np.isclose(curves.fall(fallen), 0.05)


def test_lengths_are_compared_over_the_seeds_they_share():
    curve = {1.0: runs_of(seed0=0.8, seed1=0.9), 2.0: runs_of(seed0=0.79)}
    assert np.isclose(curves.fall(curve), 0.01)
    apart = {1.0: runs_of(seed0=0.8), 2.0: runs_of(seed1=0.8)}
    assert np.isnan(curves.fall(apart))
    assert not curves.over_shared_seeds(apart)
    line = curves.report({"spss": apart}, curves.Length(4, "minutes"), "").splitlines()[-3]
    assert line.endswith("| - |")
    page = curves.report({"spss": curve}, curves.Length(4, "minutes"), "command")
    assert "| 0.790 (1 of 2 seeds) | 0.010 |" in page
