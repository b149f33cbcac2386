"""What propagation is measured on: a volume, its truth, and the planes that were drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spss.annotation import Plane
from spss.datasets import Case, Dataset, open_decathlon
from spss.types import ClassMap
from spss.volumes import Volume, read_image, read_label

SETS = ("hippocampus", "acdc", "heart")
EVERY = 8
"""Distance in slices of the planes in the measurement of gaps."""

HIPPOCAMPUS_VOLUMES = 40
ACDC_STEP = 5
MIDDLE = 0.2
"""Share of the organ's extent left out at either end: planes come from the middle 3/5."""


@dataclass(frozen=True)
class Task:
    """One measurement's input.

    Attributes:
        set_name: one of ``SETS``.
        volume: the image.
        truth: ``(I, J, K)`` classes; only the planes of it are ever shown to propagation.
        axis: along which planes were drawn.
        planes: one plane, or every ``EVERY``-th.
        class_count: including background.
        kind: ``one`` plane or ``every8``.
    """

    set_name: str
    volume: Volume
    truth: ClassMap
    axis: int
    planes: tuple[Plane, ...]
    class_count: int
    kind: str


def tasks(set_name: str, data: Path, ct: Path | None, seed: int, kind: str) -> Iterator[Task]:
    """All tasks of a set; nothing if its files are absent."""
    rng = np.random.default_rng(seed)
    for image, label, axis, class_count in _files(set_name, data, ct):
        volume = read_image(image)
        truth = read_label(label, like=volume)
        planes = _planes(truth, axis, kind, rng if set_name == "hippocampus" else None)
        if kind == "one" or len(planes) > 1:
            yield Task(set_name, volume, truth, axis, planes, class_count, kind)


def _files(set_name: str, data: Path, ct: Path | None) -> Iterator[tuple[Path, Path, int, int]]:
    """Image, label, axis and class count of each volume."""
    if set_name == "heart":
        image = None if ct is None else ct / "aorta_report" / "example_ct.nii.gz"
        if ct is not None and image is not None and image.exists():
            yield image, ct / "pulmonary_report" / "models" / "heart.nii.gz", 2, 2
        return
    folder, axis = {"hippocampus": ("Task04_Hippocampus", 0), "acdc": ("ACDC", 2)}[set_name]
    if not (data / folder).is_dir():
        return
    dataset = open_decathlon(data / folder)
    for case in measured_cases(dataset, set_name):
        if case.label is not None:
            yield case.image, case.label, axis, len(dataset.class_names)


def measured_cases(dataset: Dataset, set_name: str) -> tuple[Case, ...]:
    """The volumes measured on: never to be fitted on."""
    if set_name == "hippocampus":
        return tuple(dataset.cases[:HIPPOCAMPUS_VOLUMES])
    return tuple(dataset.cases[::ACDC_STEP])


def _planes(
    truth: ClassMap, axis: int, kind: str, rng: np.random.Generator | None
) -> tuple[Plane, ...]:
    """The middle plane of the organ, a random one of its middle 3/5, or every eighth of it."""
    first, last = _extent(truth, axis)
    if kind != "one":
        start = first + (last - first) % EVERY // 2
        return tuple(Plane(axis, index) for index in range(start, last + 1, EVERY))
    if rng is None:
        return (Plane(axis, (first + last) // 2),)
    return (Plane(axis, random_middle_plane(truth, axis, rng)),)


def random_middle_plane(truth: ClassMap, axis: int, rng: np.random.Generator) -> int:
    """Index of a plane in the middle 3/5 of the organ's extent along ``axis``."""
    first, last = _extent(truth, axis)
    count = last - first + 1
    low = int(np.ceil(first + MIDDLE * count))
    high = int(np.floor(last - MIDDLE * count))
    return int(rng.integers(low, max(low, high) + 1))


def _extent(truth: ClassMap, axis: int) -> tuple[int, int]:
    """First and last plane with foreground."""
    others = tuple(other for other in range(3) if other != axis)
    present = np.flatnonzero((truth > 0).any(axis=others))
    return int(present[0]), int(present[-1])
