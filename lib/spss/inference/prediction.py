"""What a model says about one volume."""

from __future__ import annotations

from dataclasses import dataclass

from spss.types import ClassMap, Probabilities, ScalarMap


@dataclass(frozen=True)
class Prediction:
    """Maps on the stored grid of the image.

    Attributes:
        classes: ``(I, J, K)`` uint8, the most likely class.
        probabilities: ``(C, I, J, K)`` float32 over all class names, if asked for; a class that
            nobody annotated has probability 0.
        uncertainty: ``(I, J, K)`` float32 in 0…1, if asked for: entropy of the mean of several
            noisy passes, divided by its largest value.
        remarks: what was planned with the memory, and what was done where it ran out.
    """

    classes: ClassMap
    probabilities: Probabilities | None = None
    uncertainty: ScalarMap | None = None
    remarks: tuple[str, ...] = ()
