"""How a prediction keeps to its memory: what it holds throughout, and what one part needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spss.inference.slabs import Slab, plan_slabs
from spss.networks.window import window_step
from spss.training.model_file import ModelConfig
from spss.types import Shape

NETWORK_BYTES = 0.9e9
"""The framework, the weights and the libraries that are loaded beside them."""

WINDOW_BYTES_PER_VOXEL = 800
"""Activations of one window without gradients, float32. This and the one above were set so that the
plan of a 256 x 256 x 300 volume in 14 classes, 8 parts, gives its measured peak (2.0 GB)."""

_FLOAT = 4


@dataclass(frozen=True)
class MemoryPlan:
    """What a prediction will take.

    Attributes:
        slabs: the parts it is computed in.
        held_gb: the image, its copy at the planned spacing, the results, the network.
        part_gb: the largest part, on top of that.
        preparing_gb: copies while the image is resampled, before the first part.
        budget_gb: what it may take.
    """

    slabs: list[Slab]
    held_gb: float
    part_gb: float
    preparing_gb: float
    budget_gb: float

    @property
    def peak_gb(self) -> float:
        """What it will take at most."""
        return self.held_gb + max(self.part_gb, self.preparing_gb)

    def in_words(self) -> str:
        """Such as ``Planned: 4 parts, 3.1 of 8.0 GB.``."""
        parts = f"{len(self.slabs)} part{'' if len(self.slabs) == 1 else 's'}"
        said = f"Planned: {parts}, {self.peak_gb:.1f} of {self.budget_gb:.1f} GB."
        if self.peak_gb > self.budget_gb:
            said += " It does not fit: smaller parts would not need less."
        return said


def plan_memory(
    config: ModelConfig,
    planned: Shape,
    stored: Shape,
    *,
    budget_gb: float,
    uncertainty: bool = False,
    probabilities: bool = False,
) -> MemoryPlan:
    """Cuts a volume so that its prediction stays below ``budget_gb``, if it can.

    Args:
        config: of the model.
        planned: shape at the planned spacing.
        stored: shape of the image.
        budget_gb: for all of it.
        uncertainty: whether that map is made too.
        probabilities: whether all class probabilities are returned, which must then fit.
    """
    classes = len(config.classes)
    results = 1 + _FLOAT * (uncertainty + probabilities * len(config.class_names))
    held = np.prod(stored, dtype=float) * (_FLOAT + results)
    held += np.prod(planned, dtype=float) * _FLOAT + NETWORK_BYTES
    held += np.prod(config.plan.patch_size, dtype=float) * WINDOW_BYTES_PER_VOXEL
    per_read = _FLOAT * (2 * classes + 2)  # windows' sum, its tempered copy, weights, the part
    per_written = _FLOAT * classes * (3 if uncertainty else 2) + 8  # interpolated; arg max
    slabs = plan_slabs(
        planned,
        stored,
        # a patch of margin, and cuts where windows begin: slabs then see the whole's windows
        halo=config.plan.patch_size,
        multiple=[window_step(size) for size in config.plan.patch_size],
        bytes_per_voxel=(per_read, per_written),
        memory_bytes=max(budget_gb * 1e9 - held, 0.0),
    )
    largest = max(slab.bytes(per_read, per_written) for slab in slabs)
    preparing = 2 * _FLOAT * np.prod(stored, dtype=float)
    return MemoryPlan(slabs, held / 1e9, largest / 1e9, float(preparing / 1e9), budget_gb)
