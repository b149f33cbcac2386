"""The part of a submitted label that was decided, and whether that part can be kept."""

from __future__ import annotations

import numpy as np

from spss.annotation.entry import Kind
from spss.annotation.plane import Plane
from spss.annotation.sparse_label import SparseLabel
from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap


def decided_part(
    image_id: str, label: ClassMap, kind: Kind, planes: tuple[Plane, ...], class_count: int
) -> ClassMap:
    """The label with everything that was not decided set to ``UNDECIDED``.

    Raises:
        InputError: it is not 3-D, decides nothing, or holds a value without a name.
    """
    if label.ndim != 3:
        msg = f"The label of image {image_id!r} must be 3-D, got shape {label.shape}."
        raise InputError(msg)
    if kind == "planes":
        decided = SparseLabel.from_planes(label, planes).with_undecided()
    else:
        decided = label.astype(np.uint8)
    values = decided[decided != UNDECIDED]
    if values.size == 0:
        msg = f"The label of image {image_id!r} decides no voxel: name a plane or draw something."
        raise InputError(msg)
    if kind == "dense" and values.size != decided.size:
        msg = f"A dense label of image {image_id!r} must decide every voxel."
        raise InputError(msg)
    if int(values.max()) >= class_count:
        msg = (
            f"The label of image {image_id!r} holds value {int(values.max())}, but only "
            f"{class_count} classes were named."
        )
        raise InputError(msg)
    return decided
