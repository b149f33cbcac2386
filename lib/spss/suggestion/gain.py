"""What drawing a plane would mend, in the whole volume and not only on the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spss.types import ClassMap

MOST_PIXELS = 4096
"""Of a plane that is compared with others; finer ones are thinned evenly."""


def expected_gain(
    classes: ClassMap, errors: Sequence[NDArray[np.float32]], *, class_count: int
) -> list[NDArray[np.float32]]:
    """Error that propagation of each plane could mend, by axis: ``(planes,)`` each.

        gain_i = (1 / n) sum_j error_j · Dice(plane i, plane j)

    over the n planes that the foreground reaches: a drawn plane mends those that look like it.
    Error alone asks for planes at an organ's ends, where errors are largest and from where
    propagation is worst (hippocampus: a plane at a tenth of the length carries with Dice 0.49, one
    in the middle with 0.80). The sum is the facility location of active learning (Wei et al., ICML
    2015), with the expected error as the weight of what is to be covered.

    Args:
        classes: ``(I, J, K)`` uint8, prediction or truth.
        errors: by axis, ``(planes,)`` each.
        class_count: classes including background.
    """
    box = ndimage.find_objects((classes > 0).astype(np.uint8))
    gains = [np.zeros(len(error), np.float32) for error in errors]
    if not box:
        return gains
    for axis, (gain, error) in enumerate(zip(gains, errors, strict=True)):
        within = box[0][axis]
        likeness = _likeness(np.moveaxis(classes[box[0]], axis, 0), class_count)
        gain[within] = likeness @ error[within] / len(likeness)
    return gains


def _likeness(planes: ClassMap, class_count: int) -> NDArray[np.float32]:
    """``(n, n)`` Dice between planes, all classes together; 0 where either is empty."""
    step = max(1, math.ceil(math.sqrt(planes[0].size / MOST_PIXELS)))
    thinned = planes[:, ::step, ::step].reshape(len(planes), -1)
    overlap = np.zeros((len(planes), len(planes)), np.float32)
    for value in range(1, class_count):
        mask = (thinned == value).astype(np.float32)
        overlap += mask @ mask.T
    area = overlap.diagonal()
    return np.asarray(2 * overlap / np.maximum(area[:, None] + area, 1), np.float32)
