"""When asking for more planes stops paying, and how good the network is by now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spss.errors import InputError

LEAST_GAIN = 0.005
"""Dice that the next planes must promise; less is within what one held-out plane decides."""

FEWEST_ROUNDS = 3
"""Trainings behind a prediction: two points fit every power law."""


@dataclass(frozen=True)
class Estimate:
    """Dice on volumes that no training saw, from the planes that people drew in them.

    Attributes:
        dice: mean over volumes.
        low: lower end of the 95 % interval.
        high: upper end.
        volumes: how many there are.
    """

    dice: float
    low: float
    high: float
    volumes: int

    def in_words(self) -> str:
        """``0.81 (95 % 0.76 to 0.86, 9 held-out volumes)``."""
        return (
            f"{self.dice:.2f} (95 % {self.low:.2f} to {self.high:.2f}, "
            f"{self.volumes} held-out volumes)"
        )


@dataclass(frozen=True)
class Progress:
    """One training: planes drawn until then, and held-out Dice after it."""

    planes: int
    dice: float


@dataclass(frozen=True)
class Advice:
    """Whether more planes pay, in words and numbers.

    Attributes:
        stop: True if the next planes promise less than was asked for.
        text: one or two sentences for a person.
        predicted_gain: in Dice, by the next planes; None if it cannot be told yet.
        estimate: of the newest network; None if too little was held out.
    """

    stop: bool
    text: str
    predicted_gain: float | None = None
    estimate: Estimate | None = None


def estimate_dice(dice_of: Mapping[str, float]) -> Estimate | None:
    """Mean over held-out volumes with Student's t interval; NaNs are left out.

    Held-out volumes are chosen by their names, not by a strategy. But their annotated planes lie
    where somebody drew them, mostly mid-organ, so the Dice of whole volumes may be lower.

    Args:
        dice_of: volume → Dice on its annotated voxels.

    Returns:
        None for fewer than two volumes.
    """
    values = np.asarray([value for value in dice_of.values() if not math.isnan(value)])
    if values.size < 2:
        return None
    half = float(stats.t.ppf(0.975, values.size - 1) * stats.sem(values))
    mean = float(values.mean())
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), values.size)


def advise(
    history: Sequence[Progress],
    *,
    next_planes: int = 5,
    least_gain: float = LEAST_GAIN,
    estimate: Estimate | None = None,
) -> Advice:
    """Predicts what the next planes bring, by a power law through the trainings so far.

    1 - Dice = a·n^(-b) with n planes, fitted to the logarithms by least squares (learning curves
    follow it: Hestness et al., arXiv:1712.00409), b ≥ 0.

    Args:
        history: the trainings so far, in any order; those with the same planes count as their mean.
        next_planes: that could be drawn next.
        least_gain: Dice below which they are not worth it.
        estimate: of the newest network, to be told beside it.

    Raises:
        InputError: ``next_planes`` is below 1.
    """
    if next_planes < 1:
        msg = f"Advice needs a number of planes to look ahead, 1 or more, got {next_planes}."
        raise InputError(msg)
    known = [point for point in history if not math.isnan(point.dice)]
    counts = sorted({point.planes for point in known if point.planes > 0})
    dice = [float(np.mean([p.dice for p in known if p.planes == count])) for count in counts]
    tail = f" Estimated test Dice: {estimate.in_words()}." if estimate else ""
    if len(counts) < FEWEST_ROUNDS:
        text = (
            f"What more planes would bring cannot be told before {FEWEST_ROUNDS} trainings with "
            f"different numbers of planes were measured on held-out volumes ({len(counts)} so far)."
        )
        return Advice(False, text + tail, None, estimate)
    gain = _predicted_gain(counts, dice, next_planes)
    stop = gain < least_gain
    text = f"{_last_gain(counts, dice)} {_verdict(gain, next_planes, least_gain, stop)}"
    return Advice(stop, text + tail, gain, estimate)


def _predicted_gain(counts: Sequence[int], dice: Sequence[float], next_planes: int) -> float:
    """By the power law of error over planes that fits the rounds so far; never below 0."""
    error = np.maximum(1.0 - np.asarray(dice), 1e-3)
    slope, offset = np.polyfit(np.log(counts), np.log(error), 1)
    slope = min(float(slope), 0.0)
    if slope == 0.0:
        return 0.0
    now, later = (math.exp(offset) * n**slope for n in (counts[-1], counts[-1] + next_planes))
    return float(now - later)


def _last_gain(counts: Sequence[int], dice: Sequence[float]) -> str:
    return (
        f"The last {counts[-1] - counts[-2]} planes changed held-out Dice by "
        f"{dice[-1] - dice[-2]:+.3f}, to {dice[-1]:.3f}."
    )


def _verdict(gain: float, next_planes: int, least_gain: float, stop: bool) -> str:
    """The gain as a sentence, and what may pay more where it is small."""
    planes = "plane" if next_planes == 1 else f"{next_planes} planes"
    if stop:
        return (
            f"The next {planes} promise {gain:+.3f}, less than {least_gain:.3f}: correcting whole "
            "predictions (dense review) may pay more."
        )
    return f"The next {planes} promise {gain:+.3f}."
