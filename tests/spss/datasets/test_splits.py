"""Splits depend on names alone and never divide a patient."""

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spss.datasets import Case, Dataset, split

names = st.lists(st.text("abcdé 01_", min_size=1, max_size=6), min_size=1, max_size=40, unique=True)


def dataset_of(cases: list[tuple[str, str]]) -> Dataset:
    return Dataset(
        Path(),
        tuple(Case(name, Path(name), None, patient) for name, patient in sorted(cases)),
        ("background", "organ"),
    )


@given(names)
def test_every_case_is_in_one_part_and_the_last_fifth_by_hash_is_test(names: list[str]) -> None:
    parts = split(dataset_of([(name, name) for name in names]))
    assert sorted(sum(parts.values(), ())) == sorted(names)
    by_hash = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    test_count, val_count = round(0.2 * len(names)), round(0.1 * len(names))
    assert set(parts["test"]) == set(by_hash[len(names) - test_count :])
    rest = by_hash[: len(names) - test_count]
    assert set(parts["val"]) == set(rest[len(rest) - val_count :])
    assert parts["train"]


def test_a_patient_never_crosses_a_split() -> None:
    cases = [(f"p{index}_frame{frame}", f"p{index}") for index in range(30) for frame in (1, 2)]
    parts = split(dataset_of(cases))
    assert {part: len(names) for part, names in parts.items()} == {
        "train": 42,
        "val": 6,
        "test": 12,
    }
    patients = [{name.split("_")[0] for name in names} for names in parts.values()]
    assert sum(len(part) for part in patients) == 30
