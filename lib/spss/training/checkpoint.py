"""Everything a training needs to go on as if it had never stopped, in one atomic file."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spss.errors import InputError
from spss.training.engine import TrainingState
from spss.training.loader import BatchLoader
from spss.volumes import replace_atomically

FORMAT = 4

WRITING_SHARE = 0.05
"""Of the time that may go into checkpoints. Where a round takes half a second, a file a round took
a fifth; a training that is killed loses no more than twenty times what a file takes, and a round.
"""


class Occasionally:
    """Calls a function only when that costs little of the time since it was last called.

    Args:
        function: the first call is always made.
        clock: seconds.
    """

    def __init__(
        self, function: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._function = function
        self._clock = clock
        self._next = float("-inf")

    def __call__(self) -> None:
        """Calls it if it is time to."""
        start = self._clock()
        if start < self._next:
            return
        self._function()
        end = self._clock()
        self._next = end + (end - start) / WRITING_SHARE


def save_checkpoint(
    path: Path, training: TrainingState, loader: BatchLoader, settings: dict[str, Any]
) -> None:
    """Writes weights, teacher, optimiser, method, loader, clock and all random states."""
    state = {
        "format": FORMAT,
        "student": training.student.state_dict(),
        "teacher": training.teacher.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "method": training.method.state_dict(),
        "budget": training.budget.state_dict(),
        "loader": loader.state_dict(),
        "generator": training.generator.get_state(),
        "settings": settings,
        "refused": dict(training.refused),
        "random": _random_states(),
    }
    with replace_atomically(path) as unfinished:
        torch.save(state, unfinished)


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Reads a checkpoint; only tensors and plain values are unpickled.

    Raises:
        InputError: if the file is not a checkpoint of this format.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        msg = f"Checkpoint {path} cannot be read ({error}): train anew without --resume."
        raise InputError(msg) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        msg = f"Checkpoint {path} is of another version: train anew without --resume."
        raise InputError(msg)
    return state


def restore(state: dict[str, Any], training: TrainingState, loader: BatchLoader) -> None:
    """Puts a checkpoint's content back.

    Raises:
        InputError: if it belongs to another network.
    """
    try:
        training.student.load_state_dict(state["student"])
        training.teacher.load_state_dict(state["teacher"])
        training.optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        msg = (
            "The checkpoint belongs to another network, since data or options changed: "
            f"train anew without --resume. ({str(error).splitlines()[0]})"
        )
        raise InputError(msg) from error
    training.method.load_state_dict(state["method"])
    training.budget.load_state_dict(state["budget"])
    training.generator.set_state(state["generator"].cpu())
    training.refused.update(state["refused"])
    loader.load_state_dict(state["loader"])
    _set_random_states(state["random"])


def _random_states() -> dict[str, Any]:
    """Torch's, CUDA's, numpy's and Python's global generators, as tensors and lists.

    The library passes its own generators; these are for parts of others that do not.
    """
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    assert isinstance(keys, np.ndarray)
    version, internal, gauss_next = random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "torch": torch.get_rng_state(),
        "cuda": cuda,
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
        "python": [version, list(internal), gauss_next],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    """Torch, CUDA, NumPy and Python go on where they stopped, on the same number of GPUs."""
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
