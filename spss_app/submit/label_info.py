"""Which structure does each voxel value of a submitted label mean? Names decide, not numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.annotation import BACKGROUND
from spss.errors import InputError
from spss.types import UNDECIDED, ClassMap

NOT_STRUCTURES = (BACKGROUND, "foreground_scribbles", "background_scribbles")
"""Segments that Slicer's plugin never exports, though it counts them."""


def names_of_values(values: Sequence[int], label_info: object) -> dict[int, str]:
    """Reads ``label_info`` as Slicer and other clients write it: value → name.

    Slicer's plugin exports the segments except background and scribbles with the values 1, 2, …,
    but numbers ``idx`` over all segments. Where a skipped segment comes first, ``idx`` and voxel
    values disagree, and the rank among the exported segments is right. Clients that number
    ``idx`` by voxel value are recognised: a value beyond the number of segments, or exactly the
    listed numbers, or numbers not in rising order (Slicer's always rise).

    Args:
        values: the voxel values in use, without 0 and ``UNDECIDED``.
        label_info: list of ``{"name": …, "idx": …}``; may be None or empty.

    Returns:
        A name for each listed value; empty if nothing is listed.

    Raises:
        InputError: the list is malformed, names a structure twice, or leaves a value unnamed.
    """
    segments = _segments(label_info)
    if not segments:
        return {}
    by_rank = {rank: name for rank, (name, _) in enumerate(segments, start=1)}
    by_index = {index: name for name, index in segments if index is not None}
    numbers = [index for _, index in segments if index is not None]
    used = set(values)
    complete = len(by_index) == len(segments)
    trusted = complete and (
        max(used, default=0) > len(segments) or used == set(by_index) or numbers != sorted(numbers)
    )
    named = by_index if trusted else by_rank
    unnamed = sorted(used - set(named))
    if unnamed:
        msg = (
            f"The label holds the value {unnamed[0]}, which label_info gives no name: it lists "
            f"{', '.join(f'{value} {name}' for value, name in sorted(named.items()))}."
        )
        raise InputError(msg)
    return named


def to_task_classes(
    values: NDArray[Any], names: Mapping[int, str], class_names: Sequence[str]
) -> ClassMap:
    """Renumbers a label by name.

    Args:
        values: ``(I, J, K)`` whole numbers, 0 = background, 255 = undecided.
        names: name of each value; if empty, the values are taken as the task's own numbers.
        class_names: the task's classes, background first.

    Raises:
        InputError: a structure in use is none of the task's classes.
    """
    used = [int(v) for v in np.unique(values) if v not in (0, UNDECIDED)]
    table = np.zeros(UNDECIDED + 1, np.uint8)
    table[UNDECIDED] = UNDECIDED
    for value in used:
        name = names[value] if names else _own_name(value, class_names)
        if name == BACKGROUND:
            continue
        if name not in class_names:
            msg = (
                f"There is no structure {name!r} in this task: rename the segment to one of "
                f"{', '.join(class_names[1:])}."
            )
            raise InputError(msg)
        table[value] = list(class_names).index(name)
    return table[values]


def _own_name(value: int, class_names: Sequence[str]) -> str:
    """A label without names is numbered as the task is."""
    if value >= len(class_names):
        msg = (
            f"The label holds the value {value}, but the task has only the classes "
            f"{', '.join(f'{n} {name}' for n, name in enumerate(class_names))}: send label_info."
        )
        raise InputError(msg)
    return class_names[value]


def _segments(label_info: object) -> list[tuple[str, int | None]]:
    """Name and number of each listed structure, in order."""
    if not label_info:
        return []
    if not isinstance(label_info, list):
        msg = f"label_info must be a list of names and numbers, got {type(label_info).__name__}."
        raise InputError(msg)
    segments = []
    for item in label_info:
        name = item.get("name") if isinstance(item, dict) else None
        number = None if name is None else item.get("idx", item.get("id"))
        is_number = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 255
        if not isinstance(name, str) or not name.strip() or not (number is None or is_number):
            msg = f"label_info has an entry without a usable name and number: {item!r:.100}."
            raise InputError(msg)
        if number != 0 and name not in NOT_STRUCTURES:
            segments.append((name.strip(), number))
    names = [name for name, _ in segments]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        msg = f"Two segments are called {doubled[0]!r}: give each structure one segment."
        raise InputError(msg)
    return segments
