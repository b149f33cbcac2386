"""Structures to fit the end rule on: a volume and its classes, from data sets and organ atlases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from spss.annotation import Plane
from spss.datasets import Case, open_decathlon, split
from spss.types import ClassMap, ImageArray, SpacingMm
from spss.volumes import read_image, read_label
from spss_apps.benchmarks.propagation_tasks import measured_cases

MIDDLE = 0.2
"""Planes are drawn in the middle 3/5 of the organ."""

LEAST_VOXELS = 300
LEAST_IN_PLANE = 15
NEIGHBOURED_SHARE = 0.4
"""Of an atlas's organs, how many are drawn with those that touch them as classes of their own."""

MOST_NEIGHBOURS = 2
MARGIN = 0.9
"""Cut around an organ, in its extent: room for propagation to go wrong in."""

MARGIN_VOXELS = 16


@dataclass(frozen=True)
class Drawn:
    """A labelled volume and the plane that an annotator would have drawn.

    Attributes:
        image: ``(I, J, K)`` float32.
        classes: ``(I, J, K)`` uint8.
        spacing_mm: of both.
        plane: which one is drawn.
    """

    image: ImageArray
    classes: ClassMap
    spacing_mm: SpacingMm
    plane: Plane


def train_cases(root: Path, set_name: str) -> list[Case]:
    """The train split, without every patient that ``propagation`` measures on."""
    dataset = open_decathlon(root)
    measured = {case.patient or case.name for case in measured_cases(dataset, set_name)}
    cases = [dataset.case(name) for name in split(dataset)["train"]]
    return [case for case in cases if (case.patient or case.name) not in measured]


def draw_cases(
    cases: Sequence[Case], axes: Sequence[int], planes: int, rng: np.random.Generator
) -> Iterator[Drawn]:
    """One random plane a time, of all cases in turn, along the axes in turn."""
    for number in range(planes):
        case = cases[number % len(cases)]
        if case.label is None:
            continue
        volume = read_image(case.image)
        classes = read_label(case.label, like=volume)
        if classes.any():
            plane = middle_plane(classes, axes[number % len(axes)], rng)
            yield Drawn(volume.data, classes, volume.spacing_mm, plane)


def draw_organs(
    image: Path, labels: Path, planes: int, rng: np.random.Generator
) -> Iterator[Drawn]:
    """One organ of a densely labelled volume a time, some with the organs that touch it."""
    volume = read_image(image)
    named = read_label(labels, like=volume)
    counts = np.bincount(named.ravel())
    organs = [index for index in np.flatnonzero(counts >= LEAST_VOXELS) if index > 0]
    for organ in rng.permutation(np.resize(organs, planes)):
        window = _around(named == organ)
        part = named[window]
        plane = middle_plane((part == organ).astype(np.uint8), int(rng.integers(3)), rng)
        if (part[plane.slices] == organ).sum() >= LEAST_IN_PLANE:
            neighbours = _neighbours(part[plane.slices], int(organ), rng)
            classes = np.zeros(part.shape, np.uint8)
            for index, each in enumerate((organ, *neighbours), start=1):
                classes[part == each] = index
            yield Drawn(volume.data[window], classes, volume.spacing_mm, plane)


def middle_plane(classes: ClassMap, axis: int, rng: np.random.Generator) -> Plane:
    """A random plane of the middle 3/5 of everything that is labelled."""
    others = tuple(other for other in range(3) if other != axis)
    present = np.flatnonzero((classes > 0).any(axis=others))
    first, last = int(present[0]), int(present[-1])
    margin = MIDDLE * (last - first + 1)
    low, high = int(np.ceil(first + margin)), int(np.floor(last - margin))
    return Plane(axis, int(rng.integers(low, max(low, high) + 1)))


def _around(organ: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    window = []
    for places in np.nonzero(organ):
        first, last = int(places.min()), int(places.max())
        margin = int(MARGIN * (last - first + 1)) + MARGIN_VOXELS
        window.append(slice(max(0, first - margin), last + 1 + margin))
    return window[0], window[1], window[2]


def _neighbours(drawn: ClassMap, organ: int, rng: np.random.Generator) -> list[int]:
    """Up to two organs that touch it in the plane most; now and then none is asked for."""
    if rng.random() >= NEIGHBOURED_SHARE:
        return []
    own = drawn == organ
    counts = np.bincount(drawn[binary_dilation(own, iterations=3) & ~own], minlength=1)
    counts[0] = 0
    touching = [int(index) for index in np.argsort(-counts)[:MOST_NEIGHBOURS] if counts[index]]
    return [each for each in touching if (drawn == each).sum() >= LEAST_IN_PLANE]
