"""Segmentations that OHIF writes, whose slices may be in the opposite order."""

from __future__ import annotations

from dataclasses import replace

from pydicom.dataset import Dataset

from spss_app.dicomweb.segmentation_reader import SegmentationLabel
from spss_app.dicomweb.series import Series

REFUSE, MIRRORED, AS_STORED = "refuse", "mirrored", "as_stored"
"""What ``--conf ohif`` may say about segmentations that OHIF's library wrote."""


def is_from_ohif(dataset: Dataset) -> bool:
    """True for a file written by dcmjs, the library that OHIF stores with."""
    meta = getattr(dataset, "file_meta", None)
    return str(getattr(meta, "ImplementationVersionName", "")).startswith("dcmjs")


def which_ohif(uid: str) -> str:
    """What is said of a segmentation whose order of slices is not known."""
    return (
        f"Segmentation {uid} comes from OHIF, which in some versions stores slices in the opposite "
        "order: start the server with --conf ohif mirrored for the viewer that MONAI Label serves, "
        "or --conf ohif as_stored for one that is right; it is imported then."
    )


def correct_ohif(label: SegmentationLabel, series: Series, policy: str) -> SegmentationLabel:
    """Undoes the order of slices that the OHIF of MONAI Label 0.8.5 writes.

    That build numbers slices as it shows them (by InstanceNumber) but takes their positions from
    dcmjs's own order, which descends along the normal: where the series is shown ascending, slice
    k is stored at the place of slice n-1-k. Nothing in the file tells it from a right one, so
    whoever runs the server has to say which OHIF is used.
    """
    first, last = (int(series.headers[k].get("InstanceNumber") or 0) for k in (0, -1))
    if policy == MIRRORED and first < last:
        return replace(label, classes=label.classes[:, :, ::-1].copy())
    return label
