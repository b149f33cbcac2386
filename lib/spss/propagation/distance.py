"""Shape interpolation between drawn slices by signed distances (Raya & Udupa, TMI 1990)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from spss.propagation.copying import CopyPropagator
from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class DistancePropagator:
    """Interpolates each class's signed distance linearly between two drawn slices.

    It uses no image at all: good where slices are near, helpless where a structure starts or
    ends in between. Outside the drawn slices the nearest is repeated.

    Attributes:
        softness_pixels: signed distance over which a probability falls from 0.73 to 0.5.
    """

    softness_pixels: float = 0.5

    name = "distance"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice; two neighbours say the same about the slices between."""
        results = CopyPropagator().carry(stack, drawn)
        order = sorted(range(len(drawn)), key=lambda each: drawn[each].index)
        maps = {each: signed_distances(drawn[each].one_hot) for each in order}
        for left, right in pairwise(order):
            begin, end = drawn[left].index, drawn[right].index
            for index in range(begin + 1, end):
                share = (index - begin) / (end - begin)
                between = (1 - share) * maps[left] + share * maps[right]
                soft = _softmax(between / self.softness_pixels)
                results[left].probabilities[:, index] = soft
                results[right].probabilities[:, index] = soft
        return results


def signed_distances(one_hot: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(C, H, W)`` pixels to each class's border, positive inside.

    A class that is absent is as far away as the slice is wide.
    """
    far = float(np.hypot(one_hot.shape[1], one_hot.shape[2]))
    maps = np.full(one_hot.shape, -far, np.float32)
    for index, mask in enumerate(one_hot > 0.5):
        if mask.all():
            maps[index] = far
        elif mask.any():
            inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
            maps[index] = np.where(mask, inside - 0.5, 0.5 - outside)
    return maps


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponent = np.exp(logits - logits.max(axis=0, keepdims=True))
    return (exponent / exponent.sum(axis=0, keepdims=True)).astype(np.float32)
