"""Says what is wrong with an input before anything is computed from it."""

from __future__ import annotations

import numpy as np

from spss.annotation import SparseLabel
from spss.errors import InputError, NotReadyError
from spss.types import MAX_CLASSES, ImageArray, SpacingMm


def check_input(
    image: ImageArray, label: SparseLabel, spacing_mm: SpacingMm, class_count: int
) -> None:
    """Raises InputError or NotReadyError; returns if the volume can be propagated."""
    if image.ndim != 3:
        msg = f"Propagation needs a 3-D image, got shape {image.shape}."
        raise InputError(msg)
    if image.shape != label.shape:
        msg = (
            f"The label is on another grid than the image: label {label.shape}, image "
            f"{image.shape}. Resample the label to the image first."
        )
        raise InputError(msg)
    if not 2 <= class_count <= MAX_CLASSES:
        msg = f"class_count counts background too: it must be 2…{MAX_CLASSES}, got {class_count}."
        raise InputError(msg)
    if len(spacing_mm) != 3 or not all(np.isfinite(each) and each > 0 for each in spacing_mm):
        msg = f"Voxel spacing must be three positive millimetre values, got {spacing_mm}."
        raise InputError(msg)
    _check_label(label, class_count)


def _check_label(label: SparseLabel, class_count: int) -> None:
    """Something is drawn, and every class that is drawn is known."""
    largest = int(label.classes[label.annotated].max(initial=0))
    if largest >= class_count:
        msg = (
            f"The label holds class {largest}, but class_count is {class_count}: classes go "
            f"from 0 to {class_count - 1}."
        )
        raise InputError(msg)
    if label.is_dense:
        return
    if not label.planes:
        msg = "No plane of this volume has been annotated yet: draw one plane, then propagate it."
        raise NotReadyError(msg)
    if not any(label.classes[plane.slices].any() for plane in label.planes):
        names = ", ".join(f"axis {plane.axis} index {plane.index}" for plane in label.planes)
        msg = (
            f"Every annotated plane is empty ({names}): there is nothing to propagate. Draw at "
            "least one structure on one plane."
        )
        raise InputError(msg)


def check_network(probabilities: object, class_count: int, shape: tuple[int, ...]) -> None:
    """Raises InputError if a network's map does not fit the volume."""
    got = getattr(probabilities, "shape", None)
    if got != (class_count, *shape):
        msg = (
            f"The network's probabilities have shape {got}, but the volume with {class_count} "
            f"classes needs {(class_count, *shape)}: use a model trained on the same classes."
        )
        raise InputError(msg)
