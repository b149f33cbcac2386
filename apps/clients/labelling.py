"""Requests that an annotator's viewer would send, without the viewer: draw a plane, ask a model."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss.types import ClassMap
from spss_apps.clients.pacs_server import LABELS, PacsServer

_SECONDS = 300.0


def series_of(pacs_server: PacsServer, uid: str) -> Dataset:
    """What QIDO says of a series."""
    return next(
        found
        for modality in ("MR", "CT")
        for found in pacs_server.orthanc.series(modality)
        if found.SeriesInstanceUID == uid
    )


def submit_plane(
    pacs_server: PacsServer,
    uid: str,
    folder: Path,
    *,
    axis: int = 2,
    index: int | None = None,
    truth: ClassMap | None = None,
) -> ClassMap:
    """Draws both structures on one plane (the middle one) and submits; returns the label.

    Args:
        pacs_server: where.
        uid: of the series.
        folder: for files.
        axis: voxel axis of the plane.
        index: of the plane; the middle one if None.
        truth: what to draw, on the series' grid; two boxes if None.

    Raises:
        ValueError: the server understood something else.
    """
    image = nibabel.load(_download(pacs_server, uid, folder / "image.nii.gz"))
    index = image.shape[axis] // 2 if index is None else index
    whole = _boxes(image.shape, axis) if truth is None else truth
    plane = Plane(axis, index).slices
    label = np.zeros(image.shape, np.uint8)
    label[plane] = whole[plane]
    nibabel.save(nibabel.Nifti1Image(label, image.affine), folder / "label.nii.gz")
    info = [{"name": name, "idx": value} for value, name in enumerate(LABELS, start=1)]
    with pacs_server.session() as session, (folder / "label.nii.gz").open("rb") as file:
        said = session.put(
            f"{pacs_server.url}/datastore/label",
            params={"image": uid},
            data={"params": json.dumps({"label_info": info})},
            files={"label": file},
            timeout=_SECONDS,
        )
    said.raise_for_status()
    if said.json()["annotated_planes"] != [{"axis": axis, "index": index}]:
        msg = f"The server understood {said.json()['understood']!r}."
        raise ValueError(msg)
    return label


def _boxes(shape: tuple[int, ...], axis: int) -> ClassMap:
    """A box of each structure, from end to end along ``axis``."""
    label = np.zeros(shape, np.uint8)
    for value, (low, high) in enumerate(((0.3, 0.5), (0.5, 0.65)), start=1):
        box = [slice(int(size * low), int(size * high)) for size in shape]
        box[axis] = slice(None)
        label[tuple(box)] = value
    return label


def infer(pacs_server: PacsServer, model: str, uid: str, folder: Path) -> ClassMap:
    """The server's own answer."""
    with pacs_server.session() as session:
        answer = session.post(
            f"{pacs_server.url}/infer/{model}",
            params={"image": uid, "output": "image"},
            data={"params": '{"result_extension": ".nii.gz"}'},
            timeout=_SECONDS,
        )
    answer.raise_for_status()
    (folder / "result.nii.gz").write_bytes(answer.content)
    return np.asarray(nibabel.load(folder / "result.nii.gz").dataobj).astype(np.uint8)


def _download(pacs_server: PacsServer, uid: str, file: Path) -> Path:
    with pacs_server.session() as session:
        answer = session.get(
            f"{pacs_server.url}/datastore/image", params={"image": uid}, timeout=_SECONDS
        )
    answer.raise_for_status()
    file.write_bytes(answer.content)
    return file
