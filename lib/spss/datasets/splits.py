"""Who trains, who validates and who is never seen: decided by names alone, once for ever."""

from __future__ import annotations

import hashlib
from itertools import groupby

from spss.datasets.dataset import Dataset

TEST_SHARE = 0.2
VAL_SHARE = 0.1


def split(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """Names of the cases in ``"train"``, ``"val"`` and ``"test"``.

    Patients are sorted by the sha256 of their name; the last 20 % are ``test``, the 10 % before
    ``val``, the rest ``train`` (rounded; at least one patient trains). A patient never crosses.
    """
    patients = sorted({case.patient or case.name for case in dataset.cases}, key=name_hash)
    test_count = round(TEST_SHARE * len(patients))
    val_count = round(VAL_SHARE * len(patients))
    train_count = len(patients) - test_count - val_count
    part_of = {
        patient: "train"
        if position < train_count
        else "val"
        if position < train_count + val_count
        else "test"
        for position, patient in enumerate(patients)
    }
    parts: dict[str, tuple[str, ...]] = {"train": (), "val": (), "test": ()}
    by_part = sorted((part_of[case.patient or case.name], case.name) for case in dataset.cases)
    for part, members in groupby(by_part, key=lambda pair: pair[0]):
        parts[part] = tuple(name for _, name in members)
    return parts


def name_hash(name: str) -> str:
    """Hexadecimal sha256 of a name: an order that nobody chose."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()
