import numpy as np
import pytest
import torch

from spss.annotation import Plane
from spss.errors import InputError
from spss.refinement import disagreement_factor, distance_weights, plane_distance
from spss.refinement.weights import voxel_distance


def test_distance_is_to_the_nearest_plane_of_any_axis() -> None:
    distance = plane_distance((6, 5, 4), (Plane(0, 1), Plane(0, 5), Plane(2, 0)))
    i, _, k = np.indices((6, 5, 4))
    expected = np.minimum(np.minimum(np.abs(i - 1), np.abs(i - 5)), k)
    np.testing.assert_array_equal(distance, expected)


def test_distance_without_a_plane_is_infinite_and_weighs_nothing() -> None:
    distance = plane_distance((2, 2, 2), ())
    assert np.isinf(distance).all()
    assert not distance_weights(torch.from_numpy(distance)).any()


def test_voxel_distance_serves_clicks() -> None:
    clicked = np.zeros((5, 5, 5), bool)
    clicked[2, 2, 2] = True
    assert voxel_distance(clicked)[2, 2, 4] == 2.0
    assert np.isinf(voxel_distance(np.zeros((2, 2, 2), bool))).all()


def test_float_weights_decay_and_truncated_ones_drop_everything_propagated() -> None:
    distance = torch.arange(4.0)
    assert distance_weights(distance).tolist() == pytest.approx([1.0, 0.8, 0.64, 0.512])
    assert distance_weights(distance, truncate=True).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_disagreement_raises_the_weight_up_to_the_published_factor() -> None:
    propagated, predicted = torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1])
    assert disagreement_factor(propagated, predicted, 1000).tolist() == [1.0, 1.0, 1.0]
    late = disagreement_factor(propagated, predicted, 6000)
    assert late.tolist() == pytest.approx([1.0, 1.0, 1.447], abs=1e-3)


def test_impossible_base_is_refused() -> None:
    with pytest.raises(InputError, match="base must lie above 0"):
        distance_weights(torch.zeros(1), base=0.0)
