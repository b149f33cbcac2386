"""Names beside a label map, as viewers expect them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spss.types import ClassMap


def label_names(classes: ClassMap, class_names: Sequence[str]) -> dict[str, int]:
    """Name → value of the structures present, in rising order.

    Only those: Slicer gives the first listed name to the first value it finds, the second to the
    second, so a listed name without voxels would shift all that follow.
    """
    present = [int(value) for value in np.unique(classes) if 0 < value < len(class_names)]
    return {class_names[value]: value for value in present}
