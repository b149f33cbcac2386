"""What an annotator is told about segmentations in the PACS: taken, refused, or waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spss.annotation import Plane, find_planes
from spss.types import Affine
from spss_app.dicomweb.register import Known
from spss_app.dicomweb.segmentation_reader import SegmentationLabel

LONGEST_LIST = 20
"""The newest sentences of each kind that ``/info/`` shows."""


def segmentation_report(known: Iterable[Known]) -> dict[str, list[str]]:
    """Sentences for ``/info/``, the newest last.

    Args:
        known: what became of each segmentation, in the order they were seen.
    """
    entries = list(known)
    kinds = {
        "imported_segmentations": ("imported",),
        "refused_segmentations": ("refused", "unsure"),
        "waiting_segmentations": ("waiting",),
    }
    return {
        name: [entry.detail for entry in entries if entry.state in states][-LONGEST_LIST:]
        for name, states in kinds.items()
    }


def annotated_planes(info: Mapping[str, Any]) -> list[Plane]:
    """The planes of a final label, by the information stored with it."""
    return [Plane(plane["axis"], plane["index"]) for plane in info.get("annotated_planes", ())]


def drawn_again(label: SegmentationLabel, info: Mapping[str, Any], affine: Affine) -> str:
    """Half a sentence about planes that somebody had drawn before; empty if there are none.

    Args:
        label: what came in.
        info: information stored with the final label until then.
        affine: voxel to RAS, for the planes' names.
    """
    planes = label.planes or find_planes(label.classes) or ()
    again = sorted({*planes} & {*annotated_planes(info)})
    if not again:
        return ""
    listed = ", ".join(f"{plane.anatomical_name(affine)} {plane.index}" for plane in again)
    return f" (overlaps what was drawn before on {listed}: the new one counts, both are kept)"
