"""Volumes from disk to tensors on the planned grid, once, with the broken ones named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from spss.annotation import SparseLabel
from spss.errors import InputError, NotReadyError
from spss.propagation.bounded import propagate_coarsely
from spss.training.cache import cache_key, read_cached, write_cached
from spss.training.case import PreparedCase, TrainingCase
from spss.training.fingerprint import canonical_grid
from spss.training.plan import Plan
from spss.training.resample import (
    resample_blocks,
    resample_classes,
    resample_linear,
    resampled_shape,
    smooth_for,
)
from spss.types import UNDECIDED, ClassMap, Probabilities, Shape
from spss.volumes import Volume, is_constant, read_image, to_canonical
from spss.volumes.orientation import canonical_axes

END_RULE = "simple"
"""Where propagated labels end for training. The ``learned`` rule's constants were fitted on dense
labels of public sets; a benchmark of sparse labels on those sets must not profit from them, and on
other organs the two rules are level (``docs/benchmarks.md``)."""

_MAPS_SHARE = 0.5
"""Of the planned memory for the maps of a propagation; the image and its copies need the rest."""


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
    grid = _Resampler(volume, plan)
    truth_map = grid.classes(_to_network_classes(label, classes))
    soft, note = None, ""
    if propagator is not None:
        soft, note = _soft_label(volume, label, classes, class_count, propagator, plan, grid)
    truth = torch.from_numpy(truth_map)
    annotated = torch.nonzero(truth != UNDECIDED)
    return PreparedCase(case.name, torch.from_numpy(image), truth, soft, annotated), note


def canonical_image(volume: Volume, plan: Plan) -> NDArray[np.float32]:
    """``(X, Y, Z)`` float32 in canonical orientation at the planned spacing, normalised."""
    grid = _Resampler(volume, plan)
    return np.ascontiguousarray(plan.normalisation.apply(grid.image(volume.data)))


@dataclass(frozen=True)
class _Resampler:
    """Maps of one volume from its stored grid to the planned one."""

    volume: Volume
    plan: Plan

    def image(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed where the planned grid is coarser, so that detail does not turn into noise."""
        data, shape = self._canonical(data)
        return resample_linear(smooth_for(data, shape), shape)

    def soft(
        self, values: NDArray[np.float32], factors: tuple[int, int, int]
    ) -> NDArray[np.float16]:
        """A map, each voxel of which stands for ``factors`` stored ones: it keeps its range."""
        shape = self._canonical_shape()
        becomes = canonical_axes(self.volume.affine)
        for axis, (factor, stored) in enumerate(zip(factors, self.volume.shape, strict=True)):
            if factor > 1:
                size = shape[becomes[axis]]
                values = resample_blocks(values, axis, factor=factor, source_size=stored, size=size)
        turned, _ = to_canonical(values, self.volume.affine)
        return resample_linear(turned, shape).astype(np.float16)

    def classes(self, classes: ClassMap) -> ClassMap:
        """Class numbers, which cannot be interpolated."""
        classes, shape = self._canonical(classes)
        return resample_classes(classes, shape)

    def _canonical(self, array: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
        turned, _ = to_canonical(array, self.volume.affine)
        return turned, self._canonical_shape()

    def _canonical_shape(self) -> Shape:
        shape, spacing_mm = canonical_grid(self.volume.shape, self.volume.affine)
        return resampled_shape(shape, spacing_mm, self.plan.spacing_mm)


def _soft_label(
    volume: Volume,
    label: SparseLabel,
    classes: tuple[int, ...],
    class_count: int,
    propagator: str,
    plan: Plan,
    grid: _Resampler,
) -> tuple[Tensor | None, str]:
    """``(C + 2, X, Y, Z)``: probabilities, reliability, distance; or None and why not."""
    try:
        found = propagate_coarsely(
            volume.data,
            label,
            spacing_mm=volume.spacing_mm,
            class_count=class_count,
            memory_gb=plan.memory_gb * _MAPS_SHARE,
            propagator=propagator,
            end_rule=END_RULE,
        )
    except (InputError, NotReadyError) as error:
        return None, str(error)
    pseudo, drawn = found.pseudo_label, found.annotation.annotated
    distance = distance_transform_edt(~drawn, sampling=found.factors).astype(np.float32)
    maps = _merge_classes(pseudo.probabilities, classes)
    soft = [grid.soft(values, found.factors) for values in (*maps, pseudo.reliability, distance)]
    return torch.from_numpy(np.stack(soft)), ""


def _merge_classes(probabilities: Probabilities, classes: tuple[int, ...]) -> Probabilities:
    """Keeps the network's classes; the others' share goes to the background."""
    if len(classes) == len(probabilities):
        return probabilities
    kept = probabilities[list(classes)]
    kept[0] += 1 - kept.sum(axis=0)
    return kept


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
