"""Budgets: as many planes as the plan says, through the organ, from training volumes only."""

from pathlib import Path

import numpy as np
import pytest

from spss.datasets import Dataset, make_budget, make_phantoms, open_decathlon, split
from spss.datasets.budgets import middle_plane
from spss.errors import InputError
from spss.volumes import read_label, write_label


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_phantoms(tmp_path_factory.mktemp("data"), 12, shape=(16, 14, 12))


@pytest.mark.parametrize(
    ("plan", "volumes", "planes"),
    [("1x3", 3, 1), ("2x3", 3, 2), ("3x2", 2, 3), ("1x200", 9, 1)],
)
def test_the_plan_says_how_many(phantoms: Dataset, plan: str, volumes: int, planes: int) -> None:
    budget = make_budget(phantoms, plan, axis=1, seed=0)
    assert len(budget) == volumes
    assert set(budget) <= set(split(phantoms)["train"])
    for entry in budget.values():
        assert entry != "dense"
        assert len({plane.axis for plane in entry}) == planes
        assert 1 in {plane.axis for plane in entry}


def test_full_gives_whole_labels(phantoms: Dataset) -> None:
    assert make_budget(phantoms, "full", 0, 0) == dict.fromkeys(split(phantoms)["train"], "dense")
    assert list(make_budget(phantoms, "full4", 0, 0).values()) == ["dense"] * 4


def test_the_seed_decides_and_smaller_plans_are_parts_of_larger_ones(phantoms: Dataset) -> None:
    small = make_budget(phantoms, "1x3", 0, 5)
    assert small == make_budget(phantoms, "1x3", 0, 5)
    assert small.items() <= make_budget(phantoms, "1x6", 0, 5).items()
    assert any(small != make_budget(phantoms, "1x3", 0, seed) for seed in range(6, 9))


def test_planes_are_uniform_in_the_middle_three_fifths_of_the_organ() -> None:
    label = np.zeros((30, 5, 5), bool)
    label[5:26, 2, 2] = True
    rng = np.random.default_rng(0)
    drawn = [middle_plane(label, 0, rng).index for _ in range(3000)]
    indices, counts = np.unique(drawn, return_counts=True)
    assert indices.tolist() == list(range(9, 22))  # extent 5…25, a fifth of it is 4
    assert counts.min() > 0.6 * 3000 / 13


def test_a_drawn_plane_shows_the_organ(phantoms: Dataset) -> None:
    for name, entry in make_budget(phantoms, "2x200", 2, 1).items():
        label_path = phantoms.case(name).label
        assert label_path is not None
        label = read_label(label_path)
        assert entry != "dense"
        assert all(label[plane.slices].any() for plane in entry)


def test_an_organ_in_one_plane_is_drawn_there() -> None:
    label = np.zeros((6, 6, 6), bool)
    label[3, 1, 1] = True
    assert middle_plane(label, 0, np.random.default_rng(0)).index == 3


def test_volumes_without_foreground_or_label_are_passed_over(tmp_path: Path) -> None:
    dataset = make_phantoms(tmp_path, 6, shape=(10, 10, 10))
    first, second = split(dataset)["train"][:2]
    empty, absent = dataset.case(first).label, dataset.case(second).label
    assert empty is not None
    assert absent is not None
    from spss.volumes import read_grid

    write_label(empty, np.zeros((10, 10, 10), np.uint8), like=read_grid(empty))
    absent.unlink()
    budget = make_budget(open_decathlon(tmp_path), "1x200", 0, 0)
    assert set(budget) == set(split(dataset)["train"]) - {first, second}


@pytest.mark.parametrize("plan", ["", "0x20", "4x20", "1x0", "fullest", "20", "1x20x1"])
def test_an_unknown_plan_is_refused(phantoms: Dataset, plan: str) -> None:
    with pytest.raises(InputError, match="Unknown budget"):
        make_budget(phantoms, plan, 0, 0)


def test_an_unknown_axis_is_refused(phantoms: Dataset) -> None:
    with pytest.raises(InputError, match="axis"):
        make_budget(phantoms, "1x3", 3, 0)
