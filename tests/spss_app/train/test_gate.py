"""When a new network replaces the old one."""

import math

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss_app.train.gate import annotated_dice, judge


def test_the_first_network_is_published():
    assert judge({}, None).publish


def test_a_worse_network_is_not_published_and_the_reason_has_the_numbers():
    verdict = judge({"a": 0.5, "b": 0.6, "c": 0.55}, {"a": 0.8, "b": 0.9, "c": 0.86})
    assert not verdict.publish
    assert "0.550" in verdict.reason
    assert "3 held-out images" in verdict.reason


def test_a_difference_within_chance_does_not_block():
    assert judge({"a": 0.5, "b": 0.9, "c": 0.70}, {"a": 0.8, "b": 0.6, "c": 0.71}).publish


def test_one_image_alone_must_not_be_worse():
    assert judge({"a": 0.8}, {"a": 0.8}).publish
    assert not judge({"a": 0.79}, {"a": 0.8}).publish


def test_images_without_a_score_are_left_out():
    assert judge({"a": math.nan, "b": 0.9}, {"a": 1.0, "b": 0.8}).publish
    assert "no held-out image" in judge({"a": math.nan}, {"a": 1.0}).reason


def test_only_annotated_voxels_count():
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[1:3, 1:3] = 1
    sparse = SparseLabel.from_planes(truth, [Plane(2, 1)])
    prediction = truth.copy()
    prediction[..., 3] = 1 - prediction[..., 3]
    assert annotated_dice(prediction, sparse, 2) == 1.0
    prediction[1, 1, 1] = 0
    assert annotated_dice(prediction, sparse, 2) == pytest.approx(2 * 3 / 7)


def test_a_plane_without_foreground_anywhere_has_no_score():
    empty = np.zeros((4, 4, 4), np.uint8)
    assert math.isnan(annotated_dice(empty, SparseLabel.from_planes(empty, [Plane(0, 0)]), 3))
