"""Fuzzing the reader of submitted label files, in every format that it takes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from spss.types import UNDECIDED, ClassMap
from spss.volumes import Grid, write_label
from spss_app.submit.label_info import names_of_values, to_task_classes
from spss_app.submit.label_reader import LabelFile, read_label_file
from spss_apps.benchmarks.fuzz_targets import Target, refused

SHAPE = (4, 5, 6)
ENDINGS = (".nii", ".nrrd", ".seg.nrrd", ".mha", ".nii.gz")
"""The first byte of an input picks one; what follows is the file. ``.nii.gz`` is compressed here,
since a checksum would stop almost every mutation of the compressed bytes."""

_RAW = len(ENDINGS)  # and once more with the compressed bytes as they come
_NAMES = ("background", "front", "back")


def label_target(folder: Path) -> Target:
    """Label files on a small image's grid."""
    grid = Grid(SHAPE, np.diag([0.8, 1.2, 2.0, 1.0]), "image")

    def read(data: bytes) -> None:
        """Writes the input under the ending that its first byte picks, and reads it."""
        kind = data[0] % (_RAW + 1) if data else 0
        ending = ENDINGS[kind] if kind < _RAW else ".nii.gz"
        body = data[1:]
        file = folder / f"label{ending}"
        file.write_bytes(
            gzip.compress(body, 0, mtime=0) if kind == ENDINGS.index(".nii.gz") else body
        )
        refused(lambda: _check(read_label_file(file, like=grid)))

    return Target(_seeds(folder, grid), read)


def _check(found: LabelFile) -> None:
    """What a submit does with a label that was read."""
    assert found.values.shape == SHAPE
    assert found.values.dtype == np.uint8
    used = [int(value) for value in np.unique(found.values) if value not in (0, UNDECIDED)]
    names = found.names or names_of_values(used, [])
    task = ("background", *dict.fromkeys(names.values())) if names else _NAMES
    to_task_classes(found.values, names, task)


def _seeds(folder: Path, grid: Grid) -> tuple[bytes, ...]:
    label: ClassMap = np.zeros(SHAPE, np.uint8)
    label[1:3, 2:4, 3] = 1
    label[3, 4, 5] = 2
    seeds = []
    for number, ending in enumerate(ENDINGS):
        file = folder / f"seed{ending}"
        write_label(file, label, like=grid) if ending != ".seg.nrrd" else _segments(file, label)
        data = file.read_bytes()
        if ending == ".nii.gz":
            seeds.append(bytes([_RAW]) + data)
            data = gzip.decompress(data)
        seeds.append(bytes([number]) + data)
        if ending in (".nrrd", ".mha"):  # the header guides further where no bytes are compressed
            sitk.WriteImage(sitk.ReadImage(str(file)), str(file), useCompression=False)
            seeds.append(bytes([number]) + file.read_bytes())
    return tuple(seeds)


def _segments(file: Path, label: ClassMap) -> None:
    """As Slicer writes: two overlapping segments in two layers, uncompressed."""
    layers = np.stack([label == 1, label == 2]).astype(np.uint8)  # (L, I, J, K)
    image = sitk.GetImageFromArray(layers.transpose(3, 2, 1, 0), isVector=True)
    image.SetSpacing((0.8, 1.2, 2.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    for number, name in enumerate(_NAMES[1:]):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", str(number))
        image.SetMetaData(f"Segment{number}_LabelValue", "1")
    sitk.WriteImage(image, str(file))
