"""What a submit means: which planes, said back to the annotator in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from spss.annotation import Plane, Standing, find_planes
from spss.errors import InputError
from spss.types import UNDECIDED, Affine, ClassMap, Shape

Annotated = tuple[Plane, ...] | Literal["dense", "voxels"]

_LISTED_PLANES = 6


def understand(
    label: ClassMap,
    *,
    named: object,
    rule: str,
    draft: ClassMap | None,
    asked: Plane | None,
) -> Annotated:
    """Decides what of a label was annotated.

    Args:
        label: ``(I, J, K)`` uint8 in the task's numbering.
        named: ``annotated_planes`` of the request: planes, ``"dense"``, ``"voxels"`` or None.
        rule: ``auto`` (the sparse rule), ``sparse`` or ``dense`` for all submits.
        draft: the draft that was served, if any.
        asked: the plane that this annotator was asked for, if any.

    Raises:
        InputError: nothing is annotated, or what is named cannot be.
    """
    if named is not None:
        return _as_named(named, label.shape)  # type: ignore[arg-type]
    if (label == UNDECIDED).any():
        return "voxels"
    if rule == "dense":
        return "dense"
    planes = find_planes(label, draft=draft, asked=asked)
    if planes is None and rule == "sparse":
        axis = 2 if asked is None else asked.axis
        others = tuple(other for other in range(3) if other != axis)
        return tuple(Plane(axis, int(i)) for i in np.flatnonzero((label > 0).any(axis=others)))
    if planes is None:
        return "dense"
    if not planes:
        state = "equals the draft that was served" if label.any() else "is empty"
        msg = f"The label {state} and no plane is named: draw one, or name it in annotated_planes."
        raise InputError(msg)
    return planes


def in_words(
    what: Annotated,
    label: ClassMap,
    class_names: Sequence[str],
    affine: Affine,
    standing: Standing,
) -> str:
    """``1 sagittal plane, 17: anterior, posterior; 3 planes in all``."""
    if what == "dense":
        said = f"the whole volume: {_names(label, class_names)}"
    elif what == "voxels":
        count = int(np.count_nonzero(label != UNDECIDED))
        said = f"{count} voxels: {_names(label, class_names)}"
    else:
        said = "; ".join(_direction(what, axis, label, class_names, affine) for axis in _axes(what))
    count = len(standing.planes)
    total = f"{count} plane{'' if count == 1 else 's'} in all"
    return f"{said}; {'all voxels decided' if standing.dense else total}"


def _as_named(named: object, shape: Shape) -> Annotated:
    """What the client says it drew, checked against the image's shape."""
    if isinstance(named, str) and named.strip()[:1] in ("[", "{"):
        try:
            named = json.loads(named)
        except ValueError as error:
            msg = f"annotated_planes is no valid JSON ({error})."
            raise InputError(msg) from error
    if named == "dense":
        return "dense"
    if named == "voxels":
        return "voxels"
    items = [named] if isinstance(named, dict) else named
    if not isinstance(items, list) or not items:
        msg = (
            'annotated_planes must be "dense", "voxels" or a list of planes such as '
            f'{{"axis": 2, "index": 40}}, got {named!r:.100}.'
        )
        raise InputError(msg)
    planes = tuple(sorted({_plane(item) for item in items}))
    for plane in planes:
        plane.check(shape)
    return planes


def _plane(item: Any) -> Plane:
    """From ``{"axis": …, "index": …}`` or a pair of whole numbers."""
    pair = (item.get("axis"), item.get("index")) if isinstance(item, dict) else item
    whole = isinstance(pair, list | tuple) and all(type(number) is int for number in pair)
    if not whole or len(pair) != 2:
        msg = f'A plane must look like {{"axis": 2, "index": 40}}, got {item!r:.100}.'
        raise InputError(msg)
    return Plane(*pair)


def _axes(planes: tuple[Plane, ...]) -> list[int]:
    return sorted({plane.axis for plane in planes})


def _direction(
    planes: tuple[Plane, ...], axis: int, label: ClassMap, names: Sequence[str], affine: Affine
) -> str:
    """The planes across one axis and what was drawn on them, in words."""
    mine = [plane for plane in planes if plane.axis == axis]
    listed = ", ".join(str(plane.index) for plane in mine[:_LISTED_PLANES])
    more = f" and {len(mine) - _LISTED_PLANES} more" if len(mine) > _LISTED_PLANES else ""
    drawn = np.concatenate([label[plane.slices].ravel() for plane in mine])
    direction = mine[0].anatomical_name(affine)
    plural = "" if len(mine) == 1 else "s"
    return f"{len(mine)} {direction} plane{plural}, {listed}{more}: {_names(drawn, names)}"


def _names(label: np.ndarray, class_names: Sequence[str]) -> str:
    present = [int(v) for v in np.unique(label) if 0 < v < UNDECIDED]
    return ", ".join(class_names[value] for value in present) or "nothing on it"
