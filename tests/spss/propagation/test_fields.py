from __future__ import annotations

import cv2
import numpy as np

from spss.propagation.fields import compose, identity_field, warp
from spss.propagation.flow import FlowPropagator
from spss.propagation.stack import Stack


def _texture(seed=0, shape=(40, 44)):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def _smooth_field(seed, amplitude=2.0, shape=(40, 44)):
    noise = np.random.default_rng(seed).normal(size=(*shape, 2)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), 8.0)
    return field * (amplitude / np.abs(field).max())


def test_the_identity_changes_nothing_even_forty_times():
    picture = _texture()
    moved = picture
    for _ in range(40):
        moved = warp(moved, identity_field(*picture.shape))
    np.testing.assert_array_equal(moved, picture)


def test_composing_with_the_identity_changes_nothing():
    field = _smooth_field(1)
    still = identity_field(40, 44)
    np.testing.assert_allclose(compose(field, still), field, atol=1e-6)
    np.testing.assert_allclose(compose(still, field), field, atol=1e-6)


def test_composition_is_associative():
    first, second, third = (_smooth_field(seed) for seed in (1, 2, 3))
    left = compose(compose(first, second), third)
    right = compose(first, compose(second, third))
    np.testing.assert_allclose(left[6:-6, 6:-6], right[6:-6, 6:-6], atol=0.05)


def test_warping_by_a_composed_field_is_warping_twice():
    picture, first, second = _texture(), _smooth_field(4), _smooth_field(5)
    once = warp(picture, compose(first, second))
    twice = warp(warp(picture, second), first)
    assert np.abs(once - twice)[6:-6, 6:-6].mean() < 0.02


def test_a_field_points_from_the_target_into_the_source():
    picture = _texture()
    right = np.zeros((40, 44, 2), np.float32)
    right[..., 0] = 3.0
    np.testing.assert_allclose(warp(picture, right)[:, :-3], picture[:, 3:], atol=1e-5)


def test_flow_recovers_a_known_warp():
    source, field = _texture(), _smooth_field(6, amplitude=3.0)
    target = warp(source, field)
    stack = Stack(np.stack([target, source]), 1.0, (1.0, 1.0))

    (found,) = FlowPropagator().register(stack, [(0, 1)])

    inner = (slice(6, -6), slice(6, -6))
    assert np.linalg.norm(found - field, axis=-1)[inner].mean() < 0.35
    assert np.linalg.norm(field, axis=-1)[inner].mean() > 1.0


def test_equal_slices_have_no_flow():
    stack = Stack(np.stack([_texture(), _texture()]), 1.0, (1.0, 1.0))
    (found,) = FlowPropagator().register(stack, [(0, 1)])
    assert not found.any()


def test_a_large_slice_is_registered_at_reduced_size_but_in_its_own_pixels():
    source = _texture(shape=(300, 320))
    source = cv2.GaussianBlur(source, (0, 0), 6.0)
    source = (source - source.min()) / (source.max() - source.min())
    shift = np.zeros((300, 320, 2), np.float32)
    shift[..., 1] = 4.0
    stack = Stack(np.stack([warp(source, shift), source]), 1.0, (1.0, 1.0))

    (found,) = FlowPropagator(largest_side=128).register(stack, [(0, 1)])

    assert found.shape == shift.shape
    np.testing.assert_allclose(np.median(found[40:-40, 40:-40], axis=(0, 1)), [0, 4], atol=0.5)
