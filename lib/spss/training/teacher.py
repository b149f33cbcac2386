"""Exponential moving average of a network, parameters and normalisation buffers alike."""

from __future__ import annotations

import copy

import torch
from torch import nn

DECAY = 0.99
"""Tarvainen & Valpola 2017 use 0.99 while the student changes fast; so do UA-MT and SPSS."""


def make_teacher(student: nn.Module) -> nn.Module:
    """A copy that is never trained by gradients, in evaluation mode."""
    teacher = copy.deepcopy(student)
    teacher.requires_grad_(False)
    return teacher.eval()


@torch.no_grad()
def update_teacher(
    teacher: nn.Module, student: nn.Module, iteration: int, decay: float = DECAY
) -> None:
    """θ' ← a θ' + (1 - a) θ with a = min(1 - 1 / (t + 1), decay), t counted from 1.

    The small a of the first steps makes the average forget the random start. Buffers such as
    running means are averaged in the same way; counters are copied.
    """
    alpha = min(1 - 1 / (iteration + 2), decay)
    student_state = student.state_dict()
    averaged, latest = [], []
    for name, value in teacher.state_dict().items():
        if value.dtype.is_floating_point:
            averaged.append(value)
            latest.append(student_state[name])
        else:
            value.copy_(student_state[name])
    torch._foreach_lerp_(averaged, latest, 1 - alpha)
