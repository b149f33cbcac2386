"""A small network that runs without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Perceptron:
    """Affine maps with ReLU between them, and one output.

    Attributes:
        weights: ``(in, out)`` float32 each.
        biases: ``(out,)`` float32 each.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(n,)`` of ``(n, features)``."""
        last = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            samples = samples @ weight + bias
            if place < last:
                np.maximum(samples, 0, out=samples)
        return samples[:, 0]
