"""Small volumes with labels as DICOM series: for a task with enough volumes to hold some out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from spss.types import ClassMap
from spss_apps.clients.dicom_series import make_series

TASK = "Task04_Hippocampus"
"""Of the Medical Segmentation Decathlon; its two structures are those of the client checks."""

_BRIGHTEST = 1000


@dataclass(frozen=True)
class LabelledSeries:
    """A volume as a scanner would have stored it, and its true label.

    Attributes:
        datasets: one per slice.
        classes: ``(columns, rows, slices)`` uint8, 1 = anterior, 2 = posterior.
    """

    datasets: list[Dataset]
    classes: ClassMap

    @property
    def fullest_slice(self) -> int:
        """The slice in which most is labelled."""
        return int((self.classes > 0).sum(axis=(0, 1)).argmax())


def labelled_series(data: Path, count: int) -> Iterator[LabelledSeries]:
    """Volumes of ``Task04_Hippocampus`` if ``data`` has it, else made-up ones.

    Args:
        data: folder of data sets.
        count: how many.
    """
    files = sorted((data / TASK / "labelsTr").glob("hippocampus_*.nii.gz"))[:count]
    for number in range(count):
        if len(files) == count:
            label = files[number]
            volume, classes = _lps(data / TASK / "imagesTr" / label.name), _lps(label)
        else:
            volume, classes = _made_up(np.random.default_rng(number))
        scaled = np.clip(volume / np.percentile(volume, 99.5), 0, 1) * _BRIGHTEST
        datasets = make_series(
            scaled.astype(np.int16), spacing_mm=(1, 1, 1), patient_id=f"hippocampus-{number:02d}"
        )
        yield LabelledSeries(datasets, classes.astype(np.uint8))


def _lps(file: Path) -> NDArray[np.float64]:
    """Voxels with the axes to the left, the back and the head, as axial DICOM slices have them."""
    image = nibabel.as_closest_canonical(nibabel.load(file))
    return np.asarray(image.dataobj, np.float64)[::-1, ::-1]


def _made_up(generator: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Two ellipsoids, one bright and one dim, in noise."""
    axes = np.indices((28, 32, 20)).astype(np.float64)
    volume = generator.normal(300, 30, axes.shape[1:])
    classes = np.zeros(volume.shape, np.uint8)
    for value, (row, brightness) in enumerate(((11.0, 700.0), (20.0, 500.0)), start=1):
        centre = np.array([14.0, row, 10.0]) + generator.uniform(-2, 2, 3)
        distance = ((axes - centre[:, None, None, None]) / [[[[6.0]]], [[[5.0]]], [[[6.0]]]]) ** 2
        inside = distance.sum(axis=0) < 1
        classes[inside] = value
        volume[inside] += brightness - 300
    return np.maximum(volume, 0), classes
