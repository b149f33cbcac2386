from __future__ import annotations

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.propagation.calibration import ENOUGH_PLANES, calibrate
from spss.propagation.pseudo_label import PseudoLabel

SHAPE = (20, 12, 12)


def _label(planes):
    classes = np.zeros(SHAPE, np.uint8)
    classes[:, 3:9, 3:9] = 1
    return SparseLabel.from_planes(classes, planes)


def _guess(right_share, claimed):
    """A propagation whose class is right in ``right_share`` of the structure's voxels."""

    def carry(label):
        probabilities = np.zeros((2, *SHAPE), np.float32)
        probabilities[0] = 1
        rows = round(6 * right_share)
        probabilities[:, :, 3 : 3 + rows, 3:9] = np.array([0, 1])[:, None, None, None]
        return PseudoLabel(probabilities, np.full(SHAPE, claimed, np.float32))

    return carry


def test_overconfidence_on_left_out_planes_lowers_the_reliability():
    label = _label([Plane(0, index) for index in range(2, 18, 3)])
    carry = _guess(0.5, 0.95)
    corrected = calibrate(carry(label), label, carry).reliability
    assert 0.5 < corrected.mean() < 0.85


def test_modesty_on_left_out_planes_raises_it():
    label = _label([Plane(0, index) for index in range(2, 18, 3)])
    carry = _guess(1.0, 0.6)
    assert calibrate(carry(label), label, carry).reliability.mean() > 0.7


def test_few_planes_change_nothing():
    label = _label([Plane(0, index) for index in range(ENOUGH_PLANES - 1)])
    carry = _guess(0.5, 0.95)
    np.testing.assert_array_equal(
        calibrate(carry(label), label, carry).reliability, np.float32(0.95)
    )
