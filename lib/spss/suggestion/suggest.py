"""The next planes to draw."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from spss.errors import InputError
from spss.suggestion.cohort import Cohort
from spss.suggestion.image_state import ImageState
from spss.suggestion.strategies import DEFAULT_STRATEGY, STRATEGIES
from spss.suggestion.suggestion import Suggestion


def suggest(
    images: Sequence[ImageState],
    *,
    strategy: str = DEFAULT_STRATEGY,
    axis: int | str = "auto",
    rng: np.random.Generator,
    count: int = 1,
    excluded: Collection[str] = (),
    class_names: Sequence[str] = (),
) -> list[Suggestion]:
    """The next planes to draw, each in another volume, most wanted first.

    Args:
        images: every volume of the task, in a stable order.
        strategy: a name of `STRATEGIES`.
        axis: voxel axis of the planes, or ``auto`` for the family that shows most classes.
        rng: decides between alike volumes.
        count: number of suggestions at most.
        excluded: ids that must not be suggested now (leased, skipped, broken).
        class_names: with background first, for the reasons.

    Returns:
        Fewer than ``count`` if fewer volumes are left; empty if none is.

    Raises:
        InputError: unknown strategy or axis.
    """
    if strategy not in STRATEGIES:
        msg = f"Unknown strategy '{strategy}': use one of {', '.join(STRATEGIES)}."
        raise InputError(msg)
    fixed = check_axis(axis)
    if not images:
        return []
    cohort = Cohort.of(images, axis=fixed, excluded=frozenset(excluded), class_names=class_names)
    return STRATEGIES[strategy](cohort, count, rng)


def check_axis(axis: int | str) -> int | None:
    """The axis as a number, None for ``auto``.

    Raises:
        InputError: anything else than auto, 0, 1 or 2.
    """
    if axis == "auto":
        return None
    if str(axis) in ("0", "1", "2"):
        return int(axis)
    msg = f"The axis of the planes must be auto, 0, 1 or 2, got {axis!r}."
    raise InputError(msg)
