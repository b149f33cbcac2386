"""Spacing, patch, network and batch, decided from the data set and a memory budget, and said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.networks import Architecture
from spss.training.fingerprint import Fingerprint
from spss.training.network_plan import NetworkKind, network_kind, plan_architecture, round_up
from spss.training.normalisation import Normalisation, plan_normalisation
from spss.training.planned_spacing import coarser_factors, low_resolution_axis, plan_spacing
from spss.types import Shape, SpacingMm

NETWORK_BYTES = 0.3e9
"""Weights, optimiser, teacher and snapshot."""

LIBRARY_BYTES = 1.1e9
"""Of the host's memory: what a process takes that has imported everything (measured)."""

_WHOLE_SHARE = 1 / 3
"""Of the memory for one whole volume, when it is prepared or predicted; with a GPU the maps of a
whole volume stay in the host's memory, which the budget does not speak of."""

CPU_VOXELS_PER_STEP = 400_000
"""On a CPU a step is kept to less than a second (`spss` takes 1.2 µs a voxel of a core on
hippocampus, 1.6 on ACDC): more would leave too few steps."""

LARGEST_BATCH = 4
"""Enough for stable gradients with instance normalisation."""

LARGEST_CPU_BATCH = 2
"""Within minutes of a core twice the steps on half the volumes learn more: hippocampus ``1x20``,
`spss`, two minutes, seed 0: test Dice 0.831 against 0.825 with four volumes a step."""


@dataclass(frozen=True)
class Plan:
    """Everything about data and network that is decided before training.

    Attributes:
        spacing_mm: all volumes are resampled to it, in canonical orientation.
        patch_size: voxels a training step sees of one volume; smaller volumes are padded.
        batch_size: labelled patches per step.
        architecture: see `spss.networks.Architecture`.
        normalisation: see `Normalisation`.
        low_resolution_axis: axis whose voxels are at least three times longer, or None.
        rotation_degrees: largest random rotation about each axis.
        turn_plane: the two axes of the acquired plane where fields of view lie both upright and
            across, so that patients lie turned against each other; None where they agree.
        median_shape: of the volumes at that spacing, for the words.
        case_count: volumes the plan rests on.
        memory_gb: the budget it was made for.
        coarser: factor by which the spacing was enlarged.
        coarser_for: ``memory``, so that the largest volume's maps fit; or ``time``, so that a CPU
            gets enough steps done.
    """

    spacing_mm: SpacingMm
    patch_size: Shape
    batch_size: int
    architecture: Architecture
    normalisation: Normalisation
    low_resolution_axis: int | None
    rotation_degrees: tuple[float, float, float]
    turn_plane: tuple[int, int] | None
    median_shape: Shape
    case_count: int
    memory_gb: float
    coarser: float = 1.0
    coarser_for: str = "memory"

    def in_words(self) -> str:
        """Two or three sentences for a person."""
        spacing = " x ".join(f"{value:.3g}" for value in self.spacing_mm)
        patch, median = (" x ".join(map(str, s)) for s in (self.patch_size, self.median_shape))
        coarser = ""
        if self.coarser > 1:
            reason = {"memory": "for the memory", "time": "since a CPU trains"}[self.coarser_for]
            coarser = f" ({self.coarser:.2g} times coarser, {reason})"
        strides = ", ".join("x".join(map(str, s)) for s in self.architecture.downsampling)
        words = (
            f"{self.case_count} volumes, resampled to {spacing} mm{coarser}, "
            f"median {median} voxels. "
            f"Patches of {patch}, {self.batch_size} labelled ones per step "
            f"(memory budget {self.memory_gb:.1f} GB); {self.architecture.family} with "
            f"{'-'.join(map(str, self.architecture.channels))} filters and strides {strides}; "
            f"intensities normalised by {self.normalisation.kind}."
        )
        if self.turn_plane is not None:
            words += (
                f" Fields of view lie both upright and across in axes {self.turn_plane}: "
                f"patches are turned there by up to {max(self.rotation_degrees):.0f} degrees."
            )
        return words

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """Inverse of ``to_json``, also after a trip through JSON (tuples became lists)."""
        values = {key: _tuples(value) for key, value in values.items()}
        values["architecture"] = Architecture(**values["architecture"])
        values["normalisation"] = Normalisation(**values["normalisation"])
        return cls(**values)


def make_plan(
    fingerprint: Fingerprint, *, memory_gb: float, class_count: int = 2, on_gpu: bool = False
) -> Plan:
    """Plans as nnU-Net does, for one network at one resolution.

    Spacing: the median along each axis; along a low-resolution axis the 10th percentile; coarser
    where the maps of the largest volume would not fit the memory, and on a CPU where the median
    volume is large (a step at full resolution would take seconds). Patch: the median volume (in a
    plane in which fields of view lie both upright and across the median of their longer side, so
    that either fits), shrunk along its relatively longest axis until a batch fits
    the budget. Batch: what fits, 1 to 4, on a CPU 1 to 2.
    """
    spacing = plan_spacing(fingerprint.spacings_mm)
    low_axis = low_resolution_axis(spacing)
    turn_plane = _turn_plane(fingerprint, low_axis)
    coarser, coarser_for = 1.0, "memory"
    if not on_gpu:
        median_voxels = float(np.prod(_wanted_patch(fingerprint, spacing, turn_plane)))
        most_voxels = memory_gb * 1e9 * _WHOLE_SHARE / _whole_bytes(class_count)
        factors = coarser_factors(fingerprint, spacing, median_voxels, most_voxels)
        coarser_for, coarser = max(factors.items(), key=lambda item: item[1])
    spacing = np.where(np.arange(3) == low_axis, spacing, spacing * coarser)
    wanted = _wanted_patch(fingerprint, spacing, turn_plane)
    kind = network_kind(on_gpu=on_gpu, thick_slices=low_axis is not None)
    budget = _voxel_budget(kind, memory_gb, on_gpu)
    patch, architecture = _fit_patch(wanted, spacing, kind, budget)
    most = LARGEST_BATCH if on_gpu else LARGEST_CPU_BATCH
    shapes = _planned_shapes(fingerprint, spacing)
    median = np.median(shapes, axis=0).round().astype(int)
    return Plan(
        spacing_mm=_triple(spacing.tolist()),
        patch_size=patch,
        batch_size=int(np.clip(budget // np.prod(patch), 1, most)),
        architecture=architecture,
        normalisation=plan_normalisation(fingerprint.intensities),
        low_resolution_axis=low_axis,
        rotation_degrees=_rotation(low_axis, patch, turned=turn_plane is not None),
        turn_plane=turn_plane,
        median_shape=_triple(median.tolist()),
        case_count=len(shapes),
        memory_gb=memory_gb,
        coarser=coarser,
        coarser_for=coarser_for,
    )


def _planned_shapes(fingerprint: Fingerprint, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(cases, 3)`` whole numbers."""
    return np.maximum(1, np.rint(fingerprint.shapes * fingerprint.spacings_mm / spacing))


def _wanted_patch(
    fingerprint: Fingerprint, spacing: NDArray[np.float64], turn_plane: tuple[int, int] | None
) -> NDArray[np.float64]:
    """The median volume; in a plane that is turned, the median of the longer side both ways."""
    shapes = _planned_shapes(fingerprint, spacing)
    wanted = np.median(shapes, axis=0)
    if turn_plane is not None:
        wanted[list(turn_plane)] = np.median(shapes[:, list(turn_plane)].max(axis=1))
    return wanted


def _turn_plane(fingerprint: Fingerprint, low_axis: int | None) -> tuple[int, int] | None:
    """The plane in which fields of view lie both upright and across, judged by sizes alone.

    Only for anisotropic sets: there the two fine axes span the acquired plane, and the scanner's
    operator turns it to the organ. It is turned if, among volumes that are clearly oblong, both
    orders occur (each in at least 5 %). The patients are turned then, never mirrored: in ACDC the
    right ventricle lies at 121° to 205° from the left one in upright fields of view, at 166° to
    254° in those that lie across.
    """
    if low_axis is None:
        return None
    first, second = (axis for axis in range(3) if axis != low_axis)
    extent = fingerprint.shapes * fingerprint.spacings_mm
    ratio = extent[:, first] / extent[:, second]
    oblong = ratio[np.abs(np.log(ratio)) > np.log(1.05)]
    if len(oblong) == 0:
        return None
    share = float((oblong > 1).mean())
    return (first, second) if 0.05 <= share <= 0.95 else None


def _whole_bytes(class_count: int) -> int:
    """Per voxel: probabilities and their weights, soft label, image, truth and a class index."""
    return 8 * class_count + 2 * (class_count + 2) + 4 + 1 + 8


def _voxel_budget(kind: NetworkKind, memory_gb: float, on_gpu: bool) -> int:
    """Voxels of one batch; half the memory is kept for unlabelled volumes and a teacher."""
    taken = NETWORK_BYTES + (0 if on_gpu else LIBRARY_BYTES)
    free = max(memory_gb * 1e9 - taken, 0.1e9) / 2
    voxels = int(free / kind.bytes_per_voxel)
    return voxels if on_gpu else min(voxels, CPU_VOXELS_PER_STEP)


def _fit_patch(
    wanted: NDArray[np.float64], spacing: NDArray[np.float64], kind: NetworkKind, budget: int
) -> tuple[Shape, Architecture]:
    """Shrinks the axis that is longest relative to the wanted patch until one patch fits."""
    size = _triple([int(value) for value in wanted.round()])
    while True:
        architecture = plan_architecture(size, _triple(spacing.tolist()), kind)
        patch = round_up(size, architecture.total_stride)
        if np.prod(patch) <= budget or max(size) <= 8:
            return patch, architecture
        relative = np.asarray(size) * (np.asarray(size) > 8) / wanted
        longest = int(np.argmax(relative))
        step = architecture.total_stride[longest]
        smaller = list(size)
        smaller[longest] = max(8, (size[longest] - 1) // step * step)
        size = _triple(smaller)


def _rotation(low_axis: int | None, patch: Shape, *, turned: bool) -> tuple[float, float, float]:
    """±15° about every axis; in anisotropic sets only in the fine plane, ±30°, or ±45° if turned.

    nnU-Net turns by ±30°, and by ±180° in the plane of anisotropic sets; with few labels and short
    trainings smaller turns of organs that patients all hold alike learn faster.
    """
    if low_axis is not None:
        largest = 45.0 if turned else 30.0
        return _triple([largest if axis == low_axis else 0.0 for axis in range(3)])
    thin = [axis for axis in range(3) if patch[axis] == 1]
    if thin:
        return _triple([30.0 if axis in thin else 0.0 for axis in range(3)])
    return (15.0, 15.0, 15.0)


def _triple(values: list[Any]) -> tuple[Any, Any, Any]:
    first, second, third = values
    return (first, second, third)


def _tuples(value: Any) -> Any:
    """Lists as JSON has them to the tuples that frozen plans compare and hash by."""
    if isinstance(value, (list, tuple)):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
