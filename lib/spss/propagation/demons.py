"""Diffeomorphic demons between neighbouring slices (Vercauteren et al., NeuroImage 2009)."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from spss.propagation.fields import Field
from spss.propagation.registration import carry_along_fields
from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class DemonsPropagator:
    """Carries a drawn slice along SimpleITK's diffeomorphic demons, coarse to fine.

    Attributes:
        iterations: demons steps at each of the levels.
        sigma: smoothing of the displacement field after every step, in pixels.
        levels: sizes of the pyramid; each halves the one before, down to ``least_side``.
        least_side: no level is smaller than this many pixels.
        smallest_side: slices are enlarged (whole factors) until the geometric mean of their
            sides reaches this.
        threads: slice pairs registered at a time, one ITK thread each.
    """

    iterations: int = 30
    sigma: float = 1.5
    levels: int = 3
    least_side: int = 24
    smallest_side: int = 84
    threads: int = 1

    name = "demons"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        return carry_along_fields(stack, drawn, self.register)

    def register(self, stack: Stack, pairs: list[tuple[int, int]]) -> list[Field]:
        """Fields of ``(target, source)`` pairs of slices, see ``spss.propagation.fields``."""

        def one(pair: tuple[int, int]) -> Field:
            """A pair's field needs nothing of the others, so threads share the pairs."""
            return self._field(stack.slices[pair[0]], stack.slices[pair[1]])

        if self.threads <= 1:
            return [one(pair) for pair in pairs]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(one, pairs))

    def _field(self, target: NDArray[np.float32], source: NDArray[np.float32]) -> Field:
        """From coarse to fine: each level starts from the field of the one before."""
        height, width = target.shape
        factor = max(1, math.ceil(self.smallest_side / math.sqrt(height * width)))
        field: Field | None = None
        for level in reversed(range(self.levels)):
            scale = factor / 2**level
            size = (round(width * scale), round(height * scale))
            if level and min(size) < self.least_side:
                continue
            pictures = [_resized(each, size) for each in (target, source)]
            field = self._demons(pictures[0], pictures[1], _start(field, size))
        assert field is not None  # level 0 is never skipped
        shrunk = cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(shrunk * (width / field.shape[1]), np.float32)

    def _demons(
        self, target: NDArray[np.float32], source: NDArray[np.float32], start: Field
    ) -> Field:
        """ITK's diffeomorphic demons on one thread; pairs of slices share the cores."""
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(self.iterations)
        demons.SetSmoothDisplacementField(True)
        demons.SetStandardDeviations(self.sigma)
        demons.SetNumberOfThreads(1)
        initial = sitk.GetImageFromArray(start.astype(np.float64), isVector=True)
        fixed, moving = sitk.GetImageFromArray(target), sitk.GetImageFromArray(source)
        found = demons.Execute(fixed, moving, initial)
        return np.asarray(sitk.GetArrayFromImage(found), np.float32)


def _resized(picture: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    picture = np.ascontiguousarray(picture)
    smaller = size[0] < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.float32)


def _start(field: Field | None, size: tuple[int, int]) -> Field:
    """The coarser level's field on this level's grid, or no motion."""
    if field is None:
        return np.zeros((size[1], size[0], 2), np.float32)
    grown = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown * (size[0] / field.shape[1]), np.float32)
