"""The sparse rule: which planes of a submitted label map did a person look at?"""

from __future__ import annotations

import numpy as np

from spss.annotation.plane import Plane
from spss.types import ClassMap, Mask

FEW_PLANES = 5
"""Most consecutive planes that still look like planes somebody drew, in a deep enough volume."""

FEW_SHARE = 1 / 4
"""Most planes, as a share of those along the axis, that still count as few (thin stacks)."""

KEPT_SHARE = 0.5
"""Share of a draft's foreground that a label must still hold to count as a correction of it."""


def find_planes(
    label: ClassMap, *, draft: ClassMap | None = None, asked: Plane | None = None
) -> tuple[Plane, ...] | None:
    """Reads off a label map which planes it annotates.

    Viewers send a label map and nothing else, in which 0 means "background" and "nobody looked"
    alike. Foreground in a few planes only, or in thin runs of planes with gaps between them, was
    drawn plane by plane. Where a structure could be read either way it is read as sparse: a dense
    label taken for planes loses some information, planes taken for dense teach the network that
    everything else is background.

    Annotators often start from a dense draft, correct one plane and send everything. Then only
    the planes that differ from the draft were annotated, and the plane that was asked for, which
    they left as it was. A label that has lost most of the draft did not start from it.

    Args:
        label: ``(I, J, K)`` uint8, 0 = background or nothing.
        draft: the label that was served to the annotator, if any.
        asked: the plane that was suggested, if any.

    Returns:
        The planes, sorted; None for a dense label; an empty tuple if nothing points to any plane
        (an empty label, or an untouched draft, with no plane asked for).
    """
    started_from_draft = draft is not None and _is_kept(draft, label)
    drawn = label != draft if started_from_draft else label > 0
    asked_planes = () if asked is None else (asked,)
    if not drawn.any():
        return asked_planes
    planes = _planes_drawn(drawn, asked)
    if planes is None and not started_from_draft:
        return None
    if planes is None:
        axis = min(range(3), key=lambda a: _count(drawn, a)) if asked is None else asked.axis
        planes = _planes_along(drawn, axis)
    # An empty plane among drawn ones: with a draft it was left as it was, without one it may
    # never have been looked at.
    axes = {plane.axis for plane in planes}
    confirmed = [plane for plane in asked_planes if started_from_draft and plane.axis in axes]
    return tuple(sorted({*planes, *confirmed}))


def _is_kept(draft: ClassMap, label: ClassMap) -> bool:
    foreground = draft > 0
    kept = np.count_nonzero(label[foreground] == draft[foreground])
    return bool(foreground.any()) and kept >= KEPT_SHARE * np.count_nonzero(foreground)


def _planes_drawn(drawn: Mask, asked: Plane | None) -> tuple[Plane, ...] | None:
    """Planes that hold all of ``drawn``, or None if it has no plane structure."""
    thin = [axis for axis in range(3) if _is_thin(_occupied(drawn, axis))]
    if not thin:
        return _crossing_planes(drawn)
    axis = min(thin, key=lambda a: (_count(drawn, a), -a))
    if asked is not None and asked.axis in thin:
        # A small drawing is thin from every side: read it as what was asked for, unless it lies
        # off that plane and in a single other one.
        elsewhere = not drawn[asked.slices].any() and _count(drawn, axis) == 1
        axis = axis if elsewhere and _count(drawn, asked.axis) > 1 else asked.axis
    return _planes_along(drawn, axis)


def _occupied(drawn: Mask, axis: int) -> Mask:
    return drawn.any(axis=tuple(other for other in range(3) if other != axis))


def _count(drawn: Mask, axis: int) -> int:
    return int(_occupied(drawn, axis).sum())


def _planes_along(drawn: Mask, axis: int) -> tuple[Plane, ...]:
    return tuple(Plane(axis, int(index)) for index in np.flatnonzero(_occupied(drawn, axis)))


def _few(length: int) -> int:
    """How many consecutive planes still count as few in a volume of ``length`` planes."""
    return max(1, min(FEW_PLANES, int(length * FEW_SHARE)))


def _is_thin(occupied: Mask) -> bool:
    """Few planes, or thin runs of planes with gaps between."""
    indices = np.flatnonzero(occupied)
    runs = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return max(len(run) for run in runs) <= _few(len(occupied))


def _crossing_planes(drawn: Mask) -> tuple[Plane, ...] | None:
    """Planes of several directions drawn at once: the fullest plane first, until all is held.

    A solid structure that is thin from no side needs more planes than are tried.
    """
    left = drawn.copy()
    planes: list[Plane] = []
    most = min(_few(length) for length in drawn.shape)
    while left.any():
        if len(planes) == most:
            return None
        planes.append(_fullest_plane(left))
        left[planes[-1].slices] = False
    return tuple(planes)


def _fullest_plane(drawn: Mask) -> Plane:
    counts = [drawn.sum(axis=tuple(o for o in range(3) if o != axis)) for axis in range(3)]
    axis = max(range(3), key=lambda a: int(counts[a].max()))
    return Plane(axis, int(counts[axis].argmax()))
