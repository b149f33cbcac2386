"""A data set on disk: which images and labels it has, and what its label maps decide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spss.annotation import Plane
from spss.datasets import Dataset, open_decathlon
from spss.datasets.annotations import Annotations, read_annotations
from spss.datasets.dataset import Case, class_names_of, read_description
from spss.errors import InputError
from spss.studies.exporting import ANNOTATIONS
from spss.studies.writers import CHANNEL, IGNORE, to_undecided
from spss.types import UNDECIDED, ClassMap, Mask
from spss.volumes import image_name, list_images, read_label
from spss.volumes.grid import OnGrid


@dataclass(frozen=True)
class Found:
    """One decision that a label map holds, as `Ledger.record` takes it."""

    label: ClassMap
    what: tuple[Plane, ...] | Literal["dense", "voxels"]


@dataclass(frozen=True)
class SourceDataset:
    """A Decathlon or nnU-Net v2 data set.

    Attributes:
        root: its folder.
        name: as ``dataset.json`` has it, else the folder's.
        class_names: background first, without ``ignore``.
        images: image id → file.
        labels: image id → label map.
        annotations: what the label maps decide, where ``annotations.json`` says so; None if there
            is no such file.
        is_nnunet: whether the layout is nnU-Net's.
        ignore: whether undecided voxels have a value.
    """

    root: Path
    name: str
    class_names: tuple[str, ...]
    images: dict[str, Path]
    labels: dict[str, Path]
    annotations: Annotations | None
    is_nnunet: bool
    ignore: bool

    def read_label(self, image_id: str, grid: OnGrid) -> list[Found]:
        """What an image's label map decides; empty if nothing.

        In the Decathlon layout ``annotations.json`` says which planes; without that file a label is
        dense. In nnU-Net's every voxel that is not ``ignore`` is decided; planes that are decided
        as a whole are read as planes.

        Raises:
            InputError: the label is unreadable, on another grid, or has an unknown value.
        """
        values = read_label(self.labels[image_id], like=grid, allow_undecided=True)
        label = to_undecided(values, len(self.class_names), ignore=self.ignore)
        if self.is_nnunet:
            return _decided(label)
        if self.annotations is None or self.annotations.get(image_id) == "dense":
            return [Found(label, "dense")]
        planes = self.annotations.get(image_id)
        return [Found(label, planes)] if isinstance(planes, tuple) and planes else []


def open_source(root: Path) -> SourceDataset:
    """Opens a data set in either layout.

    Raises:
        InputError: there is no usable ``dataset.json``, or an image has several channels.
    """
    described = read_description(root)
    name = str(described.get("name") or root.resolve().name)
    if "channel_names" not in described:
        return _decathlon(root, name)
    labels = described.get("labels")
    ignore = isinstance(labels, dict) and IGNORE in labels
    names = class_names_of(_without_ignore(labels), root)
    channels = described["channel_names"]
    if isinstance(channels, dict) and len(channels) != 1:
        msg = f"{root / 'dataset.json'} has {len(channels)} channels: only one is read here."
        raise InputError(msg)
    images = {
        _case_name(path): path
        for folder in ("imagesTs", "imagesTr")
        for path in list_images(root / folder)
    }
    maps = {image_name(path): path for path in list_images(root / "labelsTr")}
    maps = {image_id: path for image_id, path in maps.items() if image_id in images}
    return SourceDataset(root, name, names, images, maps, None, True, ignore)


def _decathlon(root: Path, name: str) -> SourceDataset:
    dataset: Dataset = open_decathlon(root)
    file = root / ANNOTATIONS
    annotations = read_annotations(file, dataset) if file.is_file() else None
    cases: tuple[Case, ...] = dataset.cases
    images = {case.name: case.image for case in cases}
    maps = {case.name: case.label for case in cases if case.label is not None}
    return SourceDataset(root, name, dataset.class_names, images, maps, annotations, False, False)


def _without_ignore(labels: Any) -> Any:
    if not isinstance(labels, dict):
        return labels
    kept = {name: value for name, value in labels.items() if name != IGNORE}
    if IGNORE in labels and labels[IGNORE] != len(kept):
        msg = f"nnU-Net's label {IGNORE!r} must have the largest value, {len(kept)}."
        raise InputError(msg)
    return kept


def _case_name(path: Path) -> str:
    return image_name(path).removesuffix(CHANNEL)


def _decided(label: ClassMap) -> list[Found]:
    """Splits a label with undecided voxels into whole planes and the voxels beside them."""
    known = label != UNDECIDED
    if not known.any():
        return []
    if known.all():
        return [Found(label, "dense")]
    planes = tuple(
        Plane(axis, int(index))
        for axis in range(3)
        for index in np.flatnonzero(_whole(known, axis))
    )
    found = [Found(label, planes)] if planes else []
    rest = label.copy()
    for plane in planes:
        rest[plane.slices] = UNDECIDED
    return [*found, Found(rest, "voxels")] if (rest != UNDECIDED).any() else found


def _whole(known: Mask, axis: int) -> Mask:
    return known.all(axis=tuple(other for other in range(3) if other != axis))
