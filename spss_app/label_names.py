"""Names beside a label map, as viewers expect them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spss.types import ClassMap


def label_names(classes: ClassMap, class_names: Sequence[str]) -> dict[str, int]:
    """Name → value of all structures in rising order; empty for a map without any.

    All of them, also those without a voxel: Slicer's import gives the first listed name to the
    value 1, the second to the value 2 (``ImportLabelmapToSegmentationNode`` with segment ids in
    vtkSlicerSegmentationsModuleLogic.cxx), so a name left out would shift all that follow.
    """
    if not np.any((classes > 0) & (classes < len(class_names))):
        return {}
    return {name: value for value, name in enumerate(class_names) if value}
