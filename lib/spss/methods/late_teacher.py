"""A teacher that waits until it knows something, and stops following before it is led astray."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from torch import nn

from spss.methods.method import StepContext
from spss.methods.schedule import late_ramp


class LateTeacher:
    """Teaches from a share of the training, or an age of the labels, on; settles at age 1.

    Short trainings go by their length, long ones by the age of the propagated labels
    (`spss.methods.trust.propagation_age`). Until age 1 it is the moving average of the student. A
    student that learns from its own average for long drifts with it: nothing but the two of them
    speaks of what lies far from a drawn plane (``docs/research.md``). So from age 1 on the teacher
    is a copy that stays as it is, as in self-training by generations (Xie et al., CVPR 2020).

    Args:
        start: share of the training from which it teaches.
        start_age: age from which it teaches if that comes sooner.
        ramp: time over which its weight grows, in units of the time before it taught.
    """

    def __init__(self, *, start: float, start_age: float, ramp: float) -> None:
        self.start = start
        self.start_age = start_age
        self.ramp = ramp
        self.began: float | None = None
        """Share of the training at which it began to teach."""
        self._settled: nn.Module | None = None
        self._weights: dict[str, Any] | None = None

    def waits(self, fraction: float) -> bool:
        """Whether it does not teach yet, as far as was seen of the labels' age."""
        return self.began is None and fraction < self.start

    def weight(self, age: float, fraction: float) -> float:
        """0 while it waits, then growing to 1; notes when it begins."""
        if self.began is None:
            if fraction < self.start and age < self.start_age:
                return 0.0
            self.began = min(fraction, self.start)
        return late_ramp(fraction, start=self.began, length=self.ramp * self.began)

    def of(self, context: StepContext, age: float) -> StepContext:
        """The context, with the copy that stays as its teacher from age 1 on."""
        if self._settled is None:
            if self._weights is None and age < 1:
                return context
            self._settled = copy.deepcopy(context.teacher)
            if self._weights is not None:
                self._settled.load_state_dict(self._weights)
                self._weights = None
        return replace(context, teacher=self._settled)

    def state_dict(self) -> dict[str, Any]:
        """When it began, and the weights of the copy if there is one."""
        settled = self._weights if self._settled is None else self._settled.state_dict()
        return {"began": self.began, "settled": settled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned; the copy is built at the next step."""
        self.began = state["began"]
        self._settled, self._weights = None, state["settled"]
