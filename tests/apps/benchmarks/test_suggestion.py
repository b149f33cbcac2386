"""The suggestion benchmark: small sets, tables from known curves, resuming, latency."""

import argparse
import json

import numpy as np
import pytest

from spss.datasets import make_phantoms
from spss.errors import InputError
from spss.volumes import read_image, read_label
from spss_apps.benchmarks import suggestion, suggestion_cell, suggestion_data
from spss_apps.benchmarks.suggestion_cell import Cell, run_cell
from spss_apps.benchmarks.suggestion_data import (
    coarse_image,
    coarse_label,
    halving,
    small_dataset,
)
from spss_apps.benchmarks.suggestion_error import sight_of
from spss_apps.benchmarks.suggestion_model import Rounds, plane_errors, true_gain
from spss_apps.benchmarks.suggestion_table import (
    area,
    budget_table,
    by_set,
    curve_table,
    win_matrix,
)


def arguments(*words):
    parser = argparse.ArgumentParser()
    suggestion.add_arguments(parser)
    return parser.parse_args(words)


def document(strategy, seed, *dice):
    step = {"p5": 0.1, "volumes": 5, "foreground_voxels": 9, "contour_mm": 2.0, "empty_planes": 1}
    rounds = [{**step, "planes": 5 * (i + 1), "dice": value} for i, value in enumerate(dice)]
    return {"cell": {"data": "d/Set", "strategy": strategy, "seed": seed}, "rounds": rounds}


def test_the_area_is_the_mean_height_of_the_curve():
    assert area(document("a", 0, 0.5, 0.7, 0.8)) == pytest.approx((0.6 + 0.75) / 2)
    assert area(document("a", 0, 0.5)) == 0.5


def test_tables_pair_seeds_and_count_wins():
    documents = [document("self_paced", seed, 0.5, 0.7 + seed / 100) for seed in range(3)]
    documents += [document("foreground_random", seed, 0.5, 0.6 + seed / 100) for seed in range(3)]
    curves = by_set(documents)["Set"]
    assert "+0.050 ± 0.000" in curve_table(curves)
    rows = [line.split(" | ")[0] for line in curve_table(curves).splitlines()[2:]]
    assert rows == ["| self_paced", "| foreground_random"]
    table = budget_table(curves).splitlines()
    assert table[0] == "| strategy | Dice at 5 | 5th percentile | Dice at 10 | 5th percentile |"
    assert table[2].startswith("| self_paced | 0.500 ± 0.000 | 0.100 | 0.710 ± 0.025 | 0.100 |")
    assert "3 of 3" in win_matrix(curves)
    assert "0 of 3" in win_matrix(curves)


def test_every_strategy_and_all_sanity_runs_get_a_cell_a_seed():
    cells = suggestion.planned_cells(arguments("--seeds", "0", "1"))
    assert len({cell.name for cell in cells}) == 20
    assert {"oracle", "best_label", "best_outcome", "random_scores", "self_paced"} <= {
        cell.strategy for cell in cells
    }


def test_unknown_strategies_and_absent_sets_are_refused(tmp_path):
    with pytest.raises(InputError, match="no data set"):
        suggestion.run(arguments("--data", str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="'best'"):
        suggestion.run(arguments("--data", str(tmp_path), "--strategies", "best"))


def test_thick_slices_are_not_halved():
    assert halving((1.0, 1.0, 1.0)) == (2, 2, 2)
    assert halving((1.5, 1.5, 9.0)) == (2, 2, 1)


def test_large_fields_of_view_are_cropped_about_the_organ_and_stay_in_place(tmp_path, monkeypatch):
    large = make_phantoms(tmp_path / "set", 3, shape=(40, 44, 40))
    monkeypatch.setattr(suggestion_data, "SMALL", 100)
    monkeypatch.setattr(suggestion_data, "MARGIN_MM", 2.0)
    small = small_dataset(tmp_path / "set", tmp_path)
    for before, after in zip(large.cases, small.cases, strict=True):
        whole, part = read_label(before.label), read_label(after.label)
        assert part.size < whole.size / 8
        assert 0.7 < 8 * (part > 0).sum() / (whole > 0).sum() < 1.5
        centres = [
            read_image(case.image).affine @ [*np.argwhere(label > 0).mean(0), 1]
            for case, label in ((before, whole), (after, part))
        ]
        np.testing.assert_allclose(centres[0], centres[1], atol=0.7)


def test_the_commonest_class_of_a_block_stays():
    label = np.zeros((4, 4, 3), np.uint8)
    label[:2, :2] = 2
    label[2:, 2:, 0] = 1
    coarse = coarse_label(label, (2, 2, 1), 3)
    assert coarse.tolist() == [[[2, 2, 2], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]
    assert coarse_image(np.full((5, 4, 3), 7, np.float32), (2, 2, 1)).shape == (2, 2, 3)


def test_small_volumes_lie_where_the_large_ones_do(tmp_path):
    large = make_phantoms(tmp_path / "set", 3, shape=(16, 20, 16))
    small = small_dataset(tmp_path / "set", tmp_path)
    first, second = (read_image(each.cases[0].image) for each in (large, small))
    assert second.shape == (8, 10, 8)
    centres = [
        volume.affine @ [*(np.asarray(volume.shape) - 1) / 2, 1] for volume in (first, second)
    ]
    np.testing.assert_allclose(centres[0], centres[1])
    assert (read_label(small.cases[0].label) > 0).any()
    assert small_dataset(tmp_path / "set", tmp_path).cases == small.cases


def test_plane_errors_are_none_where_there_is_nothing():
    truth = np.zeros((3, 4, 4), np.uint8)
    truth[1, :2] = 1
    predicted = np.zeros_like(truth)
    predicted[1, :1] = 1
    assert plane_errors(predicted, truth, 2)[0] == [None, pytest.approx(1 - 2 / 3, abs=1e-4), None]


def test_a_score_that_is_the_error_is_seen_perfectly():
    error = np.random.default_rng(0).random(200)
    assert sight_of(error, error).correlation == pytest.approx(1)
    assert sight_of(error, error).found == 1
    assert sight_of(-error, error).found == 0


@pytest.fixture
def no_training(monkeypatch):
    """Dice that grows with planes, notes of an oracle: the loop without a network."""
    from spss.datasets import split
    from spss.suggestion import ScoreNote, score_planes

    def dice(self, annotations, recipe):
        count = sum(map(len, annotations.values()))
        return dict.fromkeys(split(self.dataset)["test"], 1 - 1 / count)

    def notes(self, annotations, recipe):
        found = {}
        for name in split(self.dataset)["train"]:
            truth = read_label(self.dataset.case(name).label)
            scores = score_planes(
                truth, np.full(truth.shape, 0.2, np.float32), spacing_mm=(1, 1, 1), class_count=3
            )
            note = ScoreNote("m", self.dataset.class_names, scores, np.ones(3, np.float32))
            errors = [[0.5] * size for size in truth.shape]
            found[name] = {"note": note.to_json(), "organ": None, "error": errors}
            found[name]["gain"] = true_gain(truth, errors, 3)
        return found

    monkeypatch.setattr(Rounds, "test_dice", dice)
    monkeypatch.setattr(Rounds, "notes", notes)


@pytest.mark.parametrize("strategy", suggestion.DEFAULT_STRATEGIES)
def test_a_cell_draws_as_many_planes_as_asked_and_is_not_repeated(
    tmp_path, monkeypatch, no_training, strategy
):
    make_phantoms(tmp_path / "set", 12, shape=(16, 20, 16))
    cell = Cell(str(tmp_path / "set"), strategy, seed=0, planes=6, per_round=2)
    found = run_cell(cell, tmp_path / "out")
    assert [step["planes"] for step in found["rounds"]] == [2, 4, 6]
    assert found["rounds"][-1]["dice"] == pytest.approx(1 - 1 / 6)
    assert found["rounds"][-1]["contour_mm"] > found["rounds"][0]["contour_mm"]
    monkeypatch.setattr(suggestion_cell, "small_dataset", None)  # nothing is opened again
    assert run_cell(cell, tmp_path / "out") == found


def test_the_oracle_of_outcomes_keeps_the_batch_that_tests_best(tmp_path, monkeypatch, no_training):
    make_phantoms(tmp_path / "set", 12, shape=(16, 20, 16))
    tried, forgotten = [], []

    def dice(self, annotations, recipe):
        tried.append(annotations)
        best = len(tried) == 3  # the first round, then one batch of each strategy
        return {"test": 0.9 if best else 0.5}

    monkeypatch.setattr(Rounds, "test_dice", dice)
    monkeypatch.setattr(Rounds, "forget_weights", lambda self, planes, _: forgotten.append(planes))
    cell = Cell(str(tmp_path / "set"), "best_outcome", seed=0, planes=4, per_round=2)
    run_cell(cell, tmp_path / "out")
    assert len({json.dumps(sorted(each)) for each in tried[1:4]}) > 1
    assert tried[4] == tried[2]
    assert tried[2] not in forgotten


def test_the_page_is_written_from_the_files_there_are(tmp_path, no_training):
    make_phantoms(tmp_path / "set", 12, shape=(16, 20, 16))
    page = tmp_path / "docs" / "benchmarks.md"
    words = ["--data", tmp_path / "set", "--seeds", "0", "--planes", "4", "--per-round", "2"]
    words += ["--strategies", "strided", "random", "--jobs", "1"]
    words += ["--folder", tmp_path / "out", "--page", page]
    assert suggestion.run(arguments(*map(str, words))) == 0
    text = page.read_text(encoding="utf-8")
    assert "<!-- suggestion:start -->" in text
    assert "| strided | 1 |" in text
    assert (
        "suggestion --data ../shared/data/set --axis 0 --planes 4 --per-round 2 --iterations 300 "
        "--method pseudo --strategies strided random --seeds 0\n"
    ) in text.replace("random strided", "strided random")
    assert (page.parent / "img" / "suggestion.png").stat().st_size > 1000
    names = sorted(path.name for path in (tmp_path / "out").glob("*.json"))
    assert len(names) == 2
    assert json.loads((tmp_path / "out" / names[0]).read_text(encoding="utf-8"))["test_cases"] == 2
