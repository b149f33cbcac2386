"""Several propagators, weighed voxel by voxel by how well they explain the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from spss.propagation.stack import Carried, DrawnSlice, Stack

if TYPE_CHECKING:
    from spss.propagation.registry import Propagator


@dataclass(frozen=True, kw_only=True)
class EnsemblePropagator:
    """Averages members, each weighted by ``exp(−residual / tolerance)``.

    Attributes:
        members: propagators to ask.
        tolerance: residual, of the 0…1 intensity range, at which a member's weight has fallen to
            0.37: about the noise of a good slice pair.
        sigma: in-plane Gaussian of the residual before it weighs, in pixels.
    """

    members: Sequence[Propagator]
    tolerance: float = 0.05
    sigma: float = 2.0

    name = "ensemble"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        opinions = [member.carry(stack, drawn) for member in self.members]
        return [self._join(stack, list(each)) for each in zip(*opinions, strict=True)]

    def _join(self, stack: Stack, opinions: list[Carried]) -> Carried:
        """Each voxel trusts the method whose carried image resembles the real one there."""
        probabilities = np.zeros_like(opinions[0].probabilities)
        warped, total = np.zeros(stack.shape, np.float32), np.zeros(stack.shape, np.float32)
        for opinion in opinions:
            weight = np.empty(stack.shape, np.float32)
            for index, residual in enumerate(opinion.residual(stack)):
                weight[index] = cv2.GaussianBlur(residual, (0, 0), self.sigma)
            weight = np.exp(-weight / self.tolerance) + np.float32(1e-6)
            probabilities += weight * opinion.probabilities
            warped += weight * opinion.warped
            total += weight
        probabilities /= total
        warped /= total
        return Carried(probabilities=probabilities, warped=warped)
