"""What can be chosen about a training, and what comes out of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from spss.errors import InputError
from spss.methods import find_method
from spss.training.augmentation import AugmentationConfig
from spss.training.optimiser import LEARNING_RATE
from spss.training.plan import Plan


@dataclass(frozen=True)
class TrainingOptions:
    """Choices of a training beside its data.

    Attributes:
        method: name in `spss.methods.METHODS`.
        method_config: instance of the method's ``Config``; None = its defaults.
        seed: of weights, batches and noise.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        memory_gb: the plan's budget; None = half of what is free.
        propagator: name in `spss.propagation.list_propagators`.
        learning_rate: peak.
        batch_size: labelled patches per step and process; None = as planned.
        precision: ``auto`` (probed), ``float32``, ``bfloat16`` or ``float16``.
        augmentation: ranges of the random changes.
        cache: folder of prepared volumes, to share between trainings; None = in the out folder.
        show_progress: bars on the terminal.
    """

    method: str = "spss"
    method_config: Any = None
    seed: int = 0
    device: str = "auto"
    memory_gb: float | None = None
    propagator: str = "auto"
    learning_rate: float = LEARNING_RATE
    batch_size: int | None = None
    precision: str = "auto"
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    cache: Path | None = None
    show_progress: bool = False


@dataclass(frozen=True)
class TrainingResult:
    """What came out.

    Attributes:
        folder: holds ``model.pt``, ``config.json``, ``log.jsonl`` and the TensorBoard events.
        plan: what was decided about data and network.
        iterations: steps done.
        seconds: of training, without preparation.
        finished: False if it was stopped before its budget was spent.
        best_metric: best mean Dice on the validation cases' annotated voxels; None without any.
        skipped: name → why, volumes that could not be used.
        unpropagated: name → why, labelled volumes without a propagated label.
        absent_classes: names of classes that nobody annotated; the model never predicts them.
        refused: names of volumes in batches with bad numbers → how often.
    """

    folder: Path
    plan: Plan
    iterations: int
    seconds: float
    finished: bool
    best_metric: float | None
    skipped: dict[str, str]
    unpropagated: dict[str, str]
    absent_classes: tuple[str, ...]
    refused: dict[str, int]


def training_options(**given: Any) -> TrainingOptions:
    """Checks names and the method.

    Raises:
        InputError: if an option or the method is unknown.
    """
    try:
        chosen = TrainingOptions(**given)
    except TypeError as error:
        names = ", ".join(TrainingOptions.__dataclass_fields__)
        msg = f"Unknown training option ({error}): choose among {names}."
        raise InputError(msg) from error
    find_method(chosen.method)
    return chosen


def pick_device(name: str) -> torch.device:
    """``auto`` is the GPU if there is one.

    Raises:
        InputError: if the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        msg = f"Device {name!r} cannot be used here: choose cpu or auto."
        raise InputError(msg) from error
    return device
