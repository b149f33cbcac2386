"""What `probe` chooses, by what a step costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spss.training import acceleration
from spss.training.acceleration import Acceleration, probe

SHAPE = (1, 2, 4, 4, 4)
CPU = torch.device("cpu")


def choose(monkeypatch: pytest.MonkeyPatch, seconds: dict[Acceleration, float]) -> Acceleration:
    """The choice when a step costs so much processor time, and ever more on the wall clock."""
    now = {"processor": 0.0, "wall": 0.0}

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            mixed = torch.is_autocast_enabled("cpu")
            last = image.is_contiguous(memory_format=torch.channels_last_3d)
            now["processor"] += seconds[Acceleration("bfloat16" if mixed else "float32", last)]
            now["wall"] += 100 - now["wall"] % 7  # somebody else is working
            assert torch.get_num_threads() == 1
            return image * self.weight

    monkeypatch.setattr(acceleration.time, "thread_time", lambda: now["processor"])
    monkeypatch.setattr(acceleration.time, "perf_counter", lambda: now["wall"])
    return probe(Step(), SHAPE, CPU)


def costs(plain_last: float, mixed: float, last: float) -> dict[Acceleration, float]:
    return {
        Acceleration(): 1.0,
        Acceleration(channels_last=True): plain_last,
        Acceleration("bfloat16"): mixed,
        Acceleration("bfloat16", channels_last=True): last,
    }


@pytest.mark.parametrize(
    ("plain_last", "mixed", "last", "chosen"),
    [
        (0.9, 0.4, 0.39, Acceleration("bfloat16")),
        (0.9, 0.9, 0.5, Acceleration("bfloat16", channels_last=True)),
        (0.7, 1.5, 1.2, Acceleration(channels_last=True)),
        (0.9, 0.9, 0.9, Acceleration()),
    ],
)
def test_processor_time_decides_and_only_a_clear_gain_counts(
    monkeypatch: pytest.MonkeyPatch,
    plain_last: float,
    mixed: float,
    last: float,
    chosen: Acceleration,
) -> None:
    threads = torch.get_num_threads()
    assert choose(monkeypatch, costs(plain_last, mixed, last)) == chosen
    assert torch.get_num_threads() == threads
