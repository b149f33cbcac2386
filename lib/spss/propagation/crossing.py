"""Planes drawn one after another become one sparse label; where they contradict, it is said."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError
from spss.types import Shape


def combine_planes(shape: Shape, drawn: Iterable[tuple[Plane, NDArray[np.uint8]]]) -> SparseLabel:
    """Puts drawn planes together; where two cross and differ, the later one wins.

    Args:
        shape: of the volume.
        drawn: planes with their ``(H, W)`` class maps, in the order they were drawn.

    Raises:
        InputError: a plane outside the volume, or a class map of another size.

    Warns:
        UserWarning: two planes contradict each other; names the voxels' count and the winner.
    """
    label = SparseLabel.empty(shape)
    classes, annotated = label.classes, label.annotated
    owner = np.full(shape, -1, np.int16)
    planes: list[Plane] = []
    for plane, values in drawn:
        plane.check(shape)
        here = plane.slices
        if values.shape != classes[here].shape:
            msg = (
                f"{_name(plane)} holds {classes[here].shape} voxels, but what was drawn there is "
                f"{values.shape}: draw it on the image's own grid."
            )
            raise InputError(msg)
        differs = annotated[here] & (classes[here] != values)
        for other in np.unique(owner[here][differs]):
            count = int((owner[here][differs] == other).sum())
            warnings.warn(
                f"{_name(planes[other])} and {_name(plane)} contradict each other in {count} "
                f"voxels where they cross: {_name(plane)}, drawn later, wins.",
                stacklevel=2,
            )
        classes[here], annotated[here], owner[here] = values, True, len(planes)
        planes.append(plane)
    return SparseLabel(classes, annotated, tuple(sorted(set(planes))))


def _name(plane: Plane) -> str:
    return f"Plane {plane.index} along axis {plane.axis}"
