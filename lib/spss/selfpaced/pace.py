"""How fast the student may trust its teacher: age, temperature, ramp and selection rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spss.errors import InputError


@dataclass(frozen=True)
class Pace:
    """The schedules of self-paced sample selection (SU), as pure functions of time.

    Source: Su et al., "Self-Paced Sample Selection for Barely-Supervised Medical Image
    Segmentation", MICCAI 2024, and its released code. The defaults are the code's constants.

    Attributes:
        age_start: age λ₀ before it starts to grow, in units of the consistency loss.
        age_growth: factor by which the age grows each epoch.
        age_start_epoch: epoch at which the age starts to grow (the paper's end of registration-only
            training).
        temperature_start: temperature κ₀.
        temperature_growth: factor by which the temperature grows each ``temperature_every``.
        temperature_every: iterations between two steps of the temperature.
        weight_end: consistency weight c at the end of its ramp.
        ramp_every: iterations between two steps of the ramp.
        ramp_steps: steps until the ramp is full.
        rate_floor: share of the current rate that is selected although the student is too young
            (its loss reaches the age).
    """

    age_start: float = 0.1
    age_growth: float = 1.01
    age_start_epoch: int = 200
    temperature_start: float = 0.8
    temperature_growth: float = 1.4
    temperature_every: int = 500
    weight_end: float = 0.1
    ramp_every: int = 150
    ramp_steps: int = 40
    rate_floor: float = 0.1

    def __post_init__(self) -> None:
        for name in ("age_start", "age_growth", "temperature_start", "temperature_growth"):
            if getattr(self, name) <= 0:
                msg = f"The pace's {name} must be above 0, got {getattr(self, name)}."
                raise InputError(msg)
        for name in ("temperature_every", "ramp_every", "ramp_steps"):
            if getattr(self, name) < 1:
                msg = f"The pace's {name} must be at least 1, got {getattr(self, name)}."
                raise InputError(msg)

    def age(self, epoch: float) -> float:
        """λ(e) = λ₀ · growth^max(e - e₀, 0): the largest loss that counts as easy."""
        return self.age_start * self.age_growth ** max(epoch - self.age_start_epoch, 0.0)

    def temperature(self, iteration: int) -> float:
        """κ(t) = κ₀ · growth^⌊t / every⌋: how steeply the rate follows the consistency weight."""
        return self.temperature_start * self.temperature_growth ** (
            iteration // self.temperature_every
        )

    def weight(self, iteration: int) -> float:
        """c(t) = c_end · exp(-5 (1 - min(⌊t / every⌋ / steps, 1))²): the consistency weight."""
        return self.weight_end * gaussian_ramp(iteration // self.ramp_every, self.ramp_steps)

    def selection_rate(self, iteration: int, epoch: float, previous_loss: float) -> float:
        """Share r in 0…1 of voxels to select at ``iteration``.

        r = min(c κ, 1) · (floor if L ≥ λ else 1 - L/λ), where L is the previous value of the
        consistency loss. 1 - L/λ is the closed form of the linear self-paced regulariser.
        """
        if not math.isfinite(previous_loss):
            return 0.0
        age = self.age(epoch)
        share = self.rate_floor if previous_loss >= age else 1.0 - max(previous_loss, 0.0) / age
        return min(self.weight(iteration) * self.temperature(iteration), 1.0) * share


def gaussian_ramp(step: float, length: float) -> float:
    """exp(-5 (1 - min(step / length, 1))²): from 0.0067 to 1 over ``length`` steps.

    Source: Laine and Aila, "Temporal ensembling", ICLR 2017, section 2.
    """
    if length <= 0:
        return 1.0
    return math.exp(-5.0 * (1.0 - min(max(step, 0.0) / length, 1.0)) ** 2)
