from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from spss.annotation import Plane, SparseLabel
from spss.training.soft_label import distance_to_annotation


@pytest.mark.parametrize("planes", [[Plane(2, 3)], [Plane(0, 1), Plane(2, 3), Plane(2, 9)]])
@pytest.mark.parametrize("voxels", [0, 1])
def test_the_distance_to_what_was_drawn_is_the_euclidean_one(planes, voxels):
    factors = (2, 1, 3)
    label = SparseLabel.from_planes(np.zeros((8, 9, 12), np.uint8), planes)
    annotated = label.annotated.copy()
    annotated[7, 8, :voxels] = True
    expected = distance_transform_edt(~annotated, sampling=factors)
    found = distance_to_annotation(replace(label, annotated=annotated), factors)
    assert np.allclose(found, expected)
    assert found.dtype == np.float32


@pytest.mark.parametrize("shape", [(8, 9, 12), (1, 9, 12), (5, 1, 1)])
def test_the_distance_to_single_voxels_is_the_euclidean_one(shape):
    annotated = np.random.default_rng(0).random(shape) < 0.05
    annotated.flat[3] = True
    clicks = SparseLabel(np.zeros(shape, np.uint8), annotated)
    found = distance_to_annotation(clicks, (1, 3, 2))
    assert np.allclose(found, distance_transform_edt(~annotated, sampling=(1, 3, 2)), atol=1e-5)
    assert found.dtype == np.float32
