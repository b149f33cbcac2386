"""Classes are told apart by name; the numbers of a label map are only its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spss.errors import InputError
from spss.types import MAX_CLASSES, UNDECIDED, ClassMap

BACKGROUND = "background"


def check_class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names as a tuple, after checking that they can name a label's values.

    Raises:
        InputError: the first is not ``background``, a name is empty or twice, or too many.
    """
    names = tuple(names)
    if not names or names[0] != BACKGROUND:
        msg = f"The first class must be {BACKGROUND!r} (value 0), got {list(names)}."
        raise InputError(msg)
    if any(not name.strip() for name in names) or len(set(names)) != len(names):
        msg = f"Class names must be different and not empty, got {list(names)}."
        raise InputError(msg)
    if len(names) > MAX_CLASSES:
        msg = f"At most {MAX_CLASSES} classes with the background fit a label, got {len(names)}."
        raise InputError(msg)
    return names


def rename_classes(label: ClassMap, source: Sequence[str], target: Sequence[str]) -> ClassMap:
    """The same label with its values in the order of ``target``'s names.

    Args:
        label: ``(I, J, K)`` uint8 numbered by ``source``; ``UNDECIDED`` stays as it is.
        source: names of the label's values.
        target: names of the wanted values.

    Raises:
        InputError: a value has no name in ``source``, or a name in use is unknown to ``target``.
    """
    if tuple(source) == tuple(target)[: len(source)]:
        return label
    table = np.arange(256, dtype=np.uint8)
    for value in np.unique(label):
        if value == UNDECIDED:
            continue
        name = source[value] if value < len(source) else None
        if name is None or name not in target:
            what = f"value {value}" if name is None else f"class {name!r}"
            msg = f"The label holds {what}, which is none of the classes {list(target[1:])}."
            raise InputError(msg)
        table[value] = list(target).index(name)
    return table[label]
