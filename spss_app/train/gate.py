"""May a new network replace the one that answers?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spss.annotation import SparseLabel
from spss.types import ClassMap


@dataclass(frozen=True)
class Verdict:
    """Whether a network is published, and why, in words."""

    publish: bool
    reason: str


def annotated_dice(prediction: ClassMap, truth: SparseLabel, class_count: int) -> float:
    """Mean Dice of the foreground classes on the voxels that people decided.

    A class that is absent from truth and prediction there is left out; NaN if all are.
    """
    seen = truth.annotated
    scores = []
    for value in range(1, class_count):
        predicted, real = (prediction == value) & seen, (truth.classes == value) & seen
        size = int(predicted.sum()) + int(real.sum())
        if size:
            scores.append(2 * int((predicted & real).sum()) / size)
    return float(np.mean(scores)) if scores else math.nan


def judge(new: Mapping[str, float], old: Mapping[str, float] | None) -> Verdict:
    """Compares two networks image by image on held-out annotations.

    The new one is published unless it is worse by more than one standard error of the mean
    difference, which a few planes cannot tell from chance.

    Args:
        new: image id → Dice of the new network.
        old: the same of the published one, or None if there is none.
    """
    if old is None:
        return Verdict(True, "it is the first network")
    shared = [i for i in new if i in old and not math.isnan(new[i]) and not math.isnan(old[i])]
    if not shared:
        return Verdict(True, "no held-out image is annotated yet to compare on")
    differences = np.array([new[i] - old[i] for i in shared])
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / math.sqrt(len(shared))) if len(shared) > 1 else 0.0
    said = (
        f"mean Dice {np.mean([new[i] for i in shared]):.3f} against "
        f"{np.mean([old[i] for i in shared]):.3f} on {len(shared)} held-out images"
    )
    return Verdict(mean >= -error, said)
