"""Is a submit the same decision again? Then it makes no new version."""

from __future__ import annotations

from spss.annotation.entry import Entry
from spss.annotation.fold import entries_in_force, newest_digests


def said_before(entry: Entry, history: tuple[Entry, ...]) -> Entry | None:
    """The entry in force that already says all that ``entry`` says, or None.

    Digests decide where that is certain: every plane stands with the same drawing, and nothing
    that could have changed some of its voxels (a crossing plane, clicks, a dense label, other
    class names) was decided since. In any other case it is a new version.
    """
    in_force = entries_in_force(history)
    if not in_force:
        return None
    newest = in_force[-1]
    if newest.label_sha256 == entry.label_sha256 and newest.class_names == entry.class_names:
        return newest
    standing = newest_digests(history)
    known = [standing.get(plane) for plane in entry.planes]
    if not known or any(
        k is None or k[1] != digest for k, digest in zip(known, entry.plane_sha256, strict=True)
    ):
        return None
    order = [e.id for e in in_force]
    positions = sorted(order.index(k[0]) for k in known if k)
    axes = {plane.axis for plane in entry.planes}
    since = in_force[positions[0] :]
    if len(axes) > 1 or any(_could_change(later, axes, entry) for later in since):
        return None
    return in_force[positions[-1]]


def _could_change(later: Entry, axes: set[int], entry: Entry) -> bool:
    crosses = any(plane.axis not in axes for plane in later.planes)
    return later.kind != "planes" or crosses or later.class_names != entry.class_names
