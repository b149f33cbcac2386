"""Which cases of a partly annotated data set a command may use."""

import argparse
import json

import pytest

from spss.cli import _annotated_set
from spss.datasets import split
from spss.datasets.phantoms import make_phantoms


@pytest.fixture
def options(tmp_path):
    dataset = make_phantoms(tmp_path / "set", 10, shape=(8, 8, 8), seed=1)
    drawn = tmp_path / "planes.json"
    drawn.write_text(
        json.dumps({dataset.cases[0].name: [{"axis": 0, "index": 4}]}), encoding="utf-8"
    )
    parser = argparse.ArgumentParser()
    _annotated_set.add_arguments(parser, annotations="planes", train_split_only="leave out")
    return lambda *more: parser.parse_args([str(dataset.root), "--annotations", str(drawn), *more])


def test_all_cases_are_taken_unless_only_the_training_split_is_wanted(options):
    dataset, annotations, cases = _annotated_set.open_set(options())
    assert cases == dataset.cases
    assert len(annotations) == 1


def test_the_other_splits_stay_out(options):
    dataset, _, cases = _annotated_set.open_set(options("--train-split-only"))
    parts = split(dataset)
    assert {case.name for case in cases} == set(parts["train"])
    assert parts["test"]
