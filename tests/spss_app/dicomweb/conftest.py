from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from spss.types import ClassMap
from spss_app.dicomweb.series import Series, read_series
from spss_apps.clients.dicom_series import make_series

# Turned about two axes, so that no direction cosine is 0 or 1.
OBLIQUE = (0.9605, 0.1968, -0.1968, -0.1511, 0.9630, 0.2255)


def orthonormal(cosines: tuple[float, ...]) -> tuple[float, ...]:
    row = np.array(cosines[:3]) / np.linalg.norm(cosines[:3])
    column = np.array(cosines[3:]) - (np.array(cosines[3:]) @ row) * row
    return (*row, *(column / np.linalg.norm(column)))


@pytest.fixture
def datasets() -> list[Dataset]:
    volume = np.random.default_rng(7).integers(0, 1000, (12, 9, 7)).astype(np.int16)
    return make_series(
        volume, orientation=orthonormal(OBLIQUE), spacing_mm=(0.7, 1.3, 2.5), patient_id="Ünal"
    )


@pytest.fixture
def save(tmp_path: Path) -> Callable[[list[Dataset]], Path]:
    def write(datasets: list[Dataset]) -> Path:
        folder = tmp_path / "series"
        folder.mkdir()
        for index, dataset in enumerate(np.random.default_rng(0).permutation(len(datasets))):
            pydicom.dcmwrite(folder / f"{index}.dcm", datasets[dataset], write_like_original=False)
        return folder

    return write


@pytest.fixture
def series(datasets: list[Dataset], save: Callable[[list[Dataset]], Path]) -> Series:
    return read_series(save(datasets))


@pytest.fixture
def classes(series: Series) -> ClassMap:
    """Two structures on the series' grid, one of them touching its corner."""
    classes = np.zeros(series.shape, np.uint8)
    classes[2:6, 3:5, 1:4] = 3
    classes[7:9, 1:8, 2:7] = 1
    classes[0, 0, 0] = 3
    return classes
