"""The two layouts that labels leave in: what the label map says, and what ``dataset.json`` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spss.annotation import SparseLabel
from spss.errors import InputError
from spss.types import MAX_CLASSES, UNDECIDED, ClassMap

IGNORE = "ignore"
"""nnU-Net v2's name for voxels that no loss looks at; its value is the largest of all."""

CHANNEL = "_0000"
"""nnU-Net's ending for the first (here: only) channel of an image."""


@dataclass(frozen=True)
class Layout:
    """How one format names and fills its files.

    Attributes:
        name: as ``--format`` has it.
        image_suffix: between an image's id and ``.nii.gz``.
        unlabelled_folder: where images without annotation go.
        label_map: the label as the format's voxels.
        describe: ``dataset.json``.
    """

    name: str
    image_suffix: str
    unlabelled_folder: str
    label_map: Callable[[SparseLabel, Sequence[str]], ClassMap]
    describe: Callable[..., dict[str, Any]]


def _decathlon_label(label: SparseLabel, class_names: Sequence[str]) -> ClassMap:
    """Decathlon's label maps know no "nobody looked": it is 0, and ``annotations.json`` tells."""
    del class_names
    return label.classes


def _nnunet_label(label: SparseLabel, class_names: Sequence[str]) -> ClassMap:
    return np.where(label.annotated, label.classes, len(class_names)).astype(np.uint8)


def _describe_decathlon(
    name: str, class_names: Sequence[str], images: Mapping[str, bool], *, channel: str, sparse: bool
) -> dict[str, Any]:
    """Unlabelled images stay under ``training``, without a label: `spss train` learns from them."""
    del sparse
    return {
        "name": name,
        "tensorImageSize": "3D",
        "modality": {"0": channel},
        "labels": {str(value): each for value, each in enumerate(class_names)},
        "numTraining": len(images),
        "numTest": 0,
        "training": [
            {"image": f"./imagesTr/{image_id}.nii.gz"}
            | ({"label": f"./labelsTr/{image_id}.nii.gz"} if labelled else {})
            for image_id, labelled in images.items()
        ],
        "test": [],
    }


def _describe_nnunet(
    name: str, class_names: Sequence[str], images: Mapping[str, bool], *, channel: str, sparse: bool
) -> dict[str, Any]:
    """nnU-Net v2: names → values; ``ignore`` only if some voxel is undecided."""
    labels = {each: value for value, each in enumerate(class_names)}
    if IGNORE in labels:
        msg = (
            f"A class is called {IGNORE!r}, which nnU-Net keeps for undecided voxels: rename it, "
            "or export with --format decathlon."
        )
        raise InputError(msg)
    if len(class_names) >= MAX_CLASSES:
        msg = f"With {IGNORE!r} nnU-Net's labels have at most {MAX_CLASSES} values here."
        raise InputError(msg)
    return {
        "name": name,
        "channel_names": {"0": channel},
        "labels": labels | ({IGNORE: len(class_names)} if sparse else {}),
        "numTraining": sum(images.values()),
        "file_ending": ".nii.gz",
    }


FORMATS = {
    "decathlon": Layout("decathlon", "", "imagesTr", _decathlon_label, _describe_decathlon),
    "nnunet": Layout("nnunet", CHANNEL, "imagesTs", _nnunet_label, _describe_nnunet),
}
"""What ``--format`` can say."""


def to_undecided(values: ClassMap, class_count: int, *, ignore: bool) -> ClassMap:
    """nnU-Net's label map back: the ignore value, the largest, becomes ``UNDECIDED``.

    Args:
        values: ``(I, J, K)`` uint8 as in the file.
        class_count: classes with background, without ``ignore``.
        ignore: whether the data set has that label.

    Raises:
        InputError: a value is none of the data set's labels.
    """
    highest = int(values.max())
    if highest > class_count - (0 if ignore else 1):
        msg = f"a label has the value {highest}, which dataset.json does not name"
        raise InputError(msg)
    return np.where(values == class_count, UNDECIDED, values).astype(np.uint8)
