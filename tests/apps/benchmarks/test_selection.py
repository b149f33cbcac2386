import argparse
import json

import pytest
import torch

from spss.datasets import make_budget, make_phantoms
from spss_apps.benchmarks import selection
from spss_apps.benchmarks.selection_run import measure, rules, tally, unlabelled_names
from spss_apps.benchmarks.training_run import Run


def test_counts_are_of_the_selected_voxels_only():
    truth = torch.tensor([0, 1, 1, 2]).reshape(1, 4, 1, 1)
    predicted = torch.tensor([0, 1, 2, 0]).reshape(1, 4, 1, 1)
    mask = torch.tensor([True, True, True, False]).reshape(1, 4, 1, 1)
    assert tally(mask, predicted, truth) == {
        "selected": 3, "right": 2, "foreground": 2, "foreground_right": 1,
    }  # fmt: skip


def test_rules_see_the_same_teacher_and_differ_in_what_they_take():
    logits = torch.zeros(4, 2, 8, 8, 8)
    logits[:, 0] = 5.0
    logits[:, 1, 2:6, 2:6, 2:6] = 5.5  # the organ is less certain than its surroundings
    valid = torch.ones(4, 8, 8, 8, dtype=torch.bool)
    masks = rules(logits.softmax(1), valid, 0.3, 2)
    sizes = {rule: int(mask.sum()) for rule, mask in masks.items()}
    assert sizes["all voxels"] == 4 * 512
    assert sizes["class-wise"] == sizes["class-blind"] == 2 * 512
    assert sizes["published"] == 512 // 2  # of one volume, from the whole batch
    organ = logits.argmax(1) == 1
    assert (masks["class-wise"] & organ).any()
    assert not (masks["class-blind"] & organ).any()


def test_numbers_are_means_over_seeds_and_absent_where_nothing_was_selected(tmp_path):
    everything = {"selected": 100, "right": 80, "foreground": 20, "foreground_right": 10}
    none = dict.fromkeys(everything, 0)

    def one(right):
        some = {"selected": 10, "right": right, "foreground": 4, "foreground_right": 3}
        rules = {"all voxels": everything, "class-wise": some, "published": none}
        looks = [{"fraction": share, "rules": rules} for share in (0.5, 0.9, 1.0)]
        return {"looks": looks, "volumes": ["a"]}

    documents = [one(8), one(9)]
    fractions, values = selection.series(documents, "class-wise", "precision")
    assert fractions == [0.5, 0.9, 1.0]
    assert values == pytest.approx([0.85] * 3)
    text = selection.report(documents, "command")
    assert "| 90% | class-wise | 0.100 | 0.850 | 0.400 | 0.200 | 0.750 |" in text
    assert "| 90% | published | 0.000 | - | - | 0.000 | - |" in text
    selection.draw(documents, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_a_training_is_watched_on_volumes_whose_truth_it_never_sees(tmp_path):
    dataset = make_phantoms(tmp_path / "data", 12, shape=(12, 12, 12))
    run = Run(str(tmp_path / "data"), "1x2", 0, "spss", 0, iterations=10, device="cpu")
    document = json.loads(json.dumps(measure(run, tmp_path / "runs")))
    annotated = make_budget(dataset, "1x2", 0, 0)
    assert document["volumes"]
    assert not set(document["volumes"]) & set(annotated)
    assert tuple(document["volumes"]) == unlabelled_names(dataset, set(annotated), 0)
    assert [look["iteration"] for look in document["looks"]] == [5, 10]
    last = document["looks"][-1]["rules"]
    assert last["class-wise"] == last["all voxels"]  # everything is in at the end
    assert 0 < last["all voxels"]["foreground"] < last["all voxels"]["selected"]


def test_the_options_have_defaults():
    parser = argparse.ArgumentParser()
    selection.add_arguments(parser)
    assert parser.parse_args([]).seeds == [0, 1, 2]
