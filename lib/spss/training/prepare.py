"""Volumes from disk to tensors on the planned grid, once, with the broken ones named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spss.annotation import SparseLabel
from spss.errors import InputError, NotReadyError
from spss.training.cache import cache_key, read_cached, write_cached
from spss.training.case import PreparedCase, TrainingCase
from spss.training.plan import Plan
from spss.training.planned_grid import PlannedGrid, canonical_image
from spss.training.soft_label import soft_label
from spss.types import UNDECIDED, ClassMap
from spss.volumes import Volume, is_constant, read_image

LISTED_VOXELS = 1_000_000
"""Patches are centred on voxels of a list. Planes are listed whole; a large dense label's voxels
would take 24 bytes each, and a look at all of them for every patch."""

LISTED_OF_CLASS = 1_000
"""Of a rare class in such a label: so many, or all there are."""


@dataclass
class Preparation:
    """What became of the cases.

    Attributes:
        cases: ready for training, in the order given.
        skipped: name → one sentence; volumes that cannot be used at all.
        unpropagated: name → one sentence; labelled volumes that train on their annotation alone.
    """

    cases: list[PreparedCase] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unpropagated: dict[str, str] = field(default_factory=dict)


def find_classes(cases: Iterable[TrainingCase], class_count: int) -> tuple[int, ...]:
    """Classes with at least one annotated voxel somewhere, background always among them.

    A class that nobody annotated gets no output of the network: it can then neither be learned as
    empty nor be predicted, and its voxels count as background. A label that cannot be read is left
    to the preparation, which names it.
    """
    present = {0}
    for case in cases:
        if case.load_label is None:
            continue
        try:
            label = case.load_label()
        except (InputError, NotReadyError):
            continue
        present.update(int(value) for value in np.unique(label.classes[label.annotated]))
    return tuple(sorted(value for value in present if value < class_count))


def prepare_cases(
    cases: Sequence[TrainingCase],
    plan: Plan,
    classes: tuple[int, ...],
    *,
    class_count: int,
    with_pseudo_label: bool,
    propagator: str = "auto",
    cache: Path | None = None,
    on_case: Callable[[str], None] = lambda name: None,
) -> Preparation:
    """Reads, orients, resamples and normalises every volume, and propagates its annotation.

    Args:
        cases: volumes with or without labels.
        plan: spacing and normalisation.
        classes: classes the network knows (see `find_classes`).
        class_count: classes of the data set, background included.
        with_pseudo_label: whether annotated planes are propagated.
        propagator: name from `spss.propagation.list_propagators`.
        cache: folder in which prepared volumes are kept.
        on_case: called with each name when it is done.
    """
    result = Preparation()
    for case in cases:
        try:
            prepared, note = _prepare_or_read(
                case, plan, classes, class_count, propagator if with_pseudo_label else None, cache
            )
            result.cases.append(prepared)
            if note:
                result.unpropagated[case.name] = note
        except (InputError, NotReadyError) as error:
            result.skipped[case.name] = str(error)
        on_case(case.name)
    return result


def _prepare_or_read(
    case: TrainingCase,
    plan: Plan,
    classes: tuple[int, ...],
    class_count: int,
    propagator: str | None,
    cache: Path | None,
) -> tuple[PreparedCase, str]:
    """From the cache where image, label and plan are what they were."""
    label = None if case.load_label is None else case.load_label()
    if cache is None or not case.image.is_file():
        return _prepare(case, label, plan, classes, class_count, propagator)
    key = cache_key(case, label, plan, classes, propagator)
    cached = read_cached(cache, case.name, key)
    if cached is None:
        cached = _prepare(case, label, plan, classes, class_count, propagator)
        write_cached(cache, key, *cached)
        # The file's tensors are mapped, so that a large set need not fit the memory.
        return read_cached(cache, case.name, key) or cached
    return cached


def _prepare(
    case: TrainingCase,
    label: SparseLabel | None,
    plan: Plan,
    classes: tuple[int, ...],
    class_count: int,
    propagator: str | None,
) -> tuple[PreparedCase, str]:
    """A prepared case, and why it has no propagated label if it should have one."""
    volume = read_image(case.image)
    if is_constant(volume.data):
        msg = f"Image {case.name} is constant ({volume.data.flat[0]:g} everywhere): nothing to see."
        raise InputError(msg)
    image = canonical_image(volume, plan)
    if label is None or label.is_empty:
        truth = torch.full(image.shape, UNDECIDED, dtype=torch.uint8)
        nothing = torch.zeros((0, 3), dtype=torch.int64)
        return PreparedCase(case.name, torch.from_numpy(image), truth, None, nothing), ""
    _check_label(label, volume, class_count)
    grid = PlannedGrid(volume, plan)
    truth_map = grid.classes(_to_network_classes(label, classes))
    soft, note = None, ""
    if propagator is not None and not label.is_dense:  # there is nowhere to carry it
        soft, note = soft_label(
            grid, label, classes, class_count=class_count, propagator=propagator
        )
    truth = torch.from_numpy(truth_map)
    annotated = _annotated_voxels(truth)
    return PreparedCase(case.name, torch.from_numpy(image), truth, soft, annotated), note


def _annotated_voxels(truth: Tensor) -> Tensor:
    """``(N, 3)`` places of what a person decided; of a large dense label some of each class."""
    flat = torch.nonzero(truth.reshape(-1) != UNDECIDED)[:, 0]
    if len(flat) > LISTED_VOXELS:
        flat = _some_of_each_class(flat, truth.reshape(-1)[flat])
    return torch.stack(torch.unravel_index(flat, truth.shape), dim=1)


def _some_of_each_class(flat: Tensor, classes: Tensor) -> Tensor:
    """By lot and in proportion, but of a rare class no fewer than `LISTED_OF_CLASS`."""
    lot = torch.Generator().manual_seed(0)  # a prepared case is kept: runs must not differ in it
    listed = []
    for value in classes.unique():
        own = flat[classes == value]
        wanted = max(LISTED_OF_CLASS, LISTED_VOXELS * len(own) // len(flat))
        if wanted < len(own):
            own = own[torch.randint(len(own), (wanted,), generator=lot)]
        listed.append(own)
    return torch.cat(listed)


def _to_network_classes(label: SparseLabel, classes: tuple[int, ...]) -> ClassMap:
    """Class indices to the network's outputs, ``UNDECIDED`` where nobody looked."""
    lookup = np.zeros(256, np.uint8)
    lookup[list(classes)] = np.arange(len(classes), dtype=np.uint8)
    return np.where(label.annotated, lookup[label.classes], UNDECIDED).astype(np.uint8)


def _check_label(label: SparseLabel, volume: Volume, class_count: int) -> None:
    """On the image's grid, with classes that the data set names."""
    if label.shape != volume.shape:
        msg = (
            f"Label of {volume.name} has shape {label.shape} but its image has {volume.shape}: "
            "resample the label onto the image's grid."
        )
        raise InputError(msg)
    highest = int(label.classes.max())
    if highest >= class_count:
        msg = (
            f"Label of {volume.name} has class {highest}, but the data set names only "
            f"{class_count} classes with the background: correct the label or the class names."
        )
        raise InputError(msg)
