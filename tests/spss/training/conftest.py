import os

import numpy as np
import pytest
import torch

from spss.annotation import Plane, SparseLabel
from spss.datasets import make_phantoms
from spss.training import TrainingCase
from spss.volumes import read_label


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", before)))
    yield
    torch.set_num_threads(before)


def middle_plane_of(case, axis=0):
    """Loads the plane with most foreground of a phantom, and nothing else."""

    def load():
        label = read_label(case.label)
        per_plane = (label > 0).sum(axis=tuple(other for other in range(3) if other != axis))
        return SparseLabel.from_planes(label, [Plane(axis, int(np.argmax(per_plane)))])

    return load


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    return make_phantoms(tmp_path_factory.mktemp("phantoms"), 6, shape=(16, 20, 16), seed=3)


@pytest.fixture
def cases(phantoms):
    """Three annotated volumes and three without any label."""
    return [
        TrainingCase(case.name, case.image, middle_plane_of(case) if index < 3 else None)
        for index, case in enumerate(phantoms.cases)
    ]


@pytest.fixture
def quick():
    """Options under which a step takes milliseconds and nothing is timed."""
    return {"precision": "float32", "memory_gb": 2.0}
