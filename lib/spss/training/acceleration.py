"""Mixed precision and memory layout, used where a short measurement shows that they help."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

NEEDED_GAIN = 1.25
"""A setting is taken only if it makes a step this much faster: a clear gain is found by every run
on the same machine, so that the same seed keeps giving the same numbers."""

_TIMED_STEPS = 4


@dataclass(frozen=True)
class Acceleration:
    """How a step is computed.

    Attributes:
        precision: ``float32``, ``bfloat16`` or ``float16`` (then with a gradient scaler).
        channels_last: ``channels_last_3d`` memory layout of weights and images.
    """

    precision: str = "float32"
    channels_last: bool = False

    def autocast(self, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
        """Opens mixed precision; does nothing for ``float32``."""
        return partial(
            torch.autocast,
            device.type,
            dtype=getattr(torch, "bfloat16" if self.precision == "float32" else self.precision),
            enabled=self.precision != "float32",
        )

    @property
    def needs_scaler(self) -> bool:
        """True for float16, whose small gradients vanish without scaling."""
        return self.precision == "float16"

    def in_words(self) -> str:
        """For the log."""
        return self.precision + (", channels last" if self.channels_last else "")


def probe(
    network: nn.Module, shape: tuple[int, int, int, int, int], device: torch.device
) -> Acceleration:
    """Times a few steps of copies of the network and picks what is clearly fastest.

    On a CPU one thread's processor time is compared: with the wall clock, and with threads that
    wait for each other, a machine busy with other work made the choice a matter of chance.

    Args:
        network: its weights are not changed.
        shape: ``(B, 1, X, Y, Z)`` of a batch.
        device: where to train.
    """
    mixed = "bfloat16"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        mixed = "float16"
    candidates = [
        Acceleration(precision, channels_last)
        for precision in ("float32", mixed)
        for channels_last in (False, True)
    ]
    trials = [_Trial(network, shape, device, candidate) for candidate in candidates]
    # in turns, so that other work on the machine slows all of them alike
    with _one_thread() if device.type == "cpu" else nullcontext():
        for _ in range(_TIMED_STEPS + 1):
            for trial in trials:
                trial.step()
    best, fastest = candidates[0], trials[0].seconds
    for candidate, trial in zip(candidates[1:], trials[1:], strict=True):
        if trial.seconds * NEEDED_GAIN < fastest:
            best, fastest = candidate, trial.seconds
    return best


class _Trial:
    """Steps of a copy of the network under one setting."""

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, int, int, int, int],
        device: torch.device,
        acceleration: Acceleration,
    ) -> None:
        self.network = copy.deepcopy(network).train()
        self.image = torch.zeros(shape, device=device)
        self.device = device
        self.autocast = acceleration.autocast(device)
        if acceleration.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last_3d)
            self.image = self.image.to(memory_format=torch.channels_last_3d)
        self._times: list[float] = []

    def step(self) -> None:
        """One forward and backward pass."""
        clock = time.thread_time if self.device.type == "cpu" else time.perf_counter
        start = clock()
        with self.autocast():
            logits = self.network(self.image)
        logits.float().square().mean().backward()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self._times.append(clock() - start)

    @property
    def seconds(self) -> float:
        """The fastest step; the first one warms up and does not count."""
        return min(self._times[1:])


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
