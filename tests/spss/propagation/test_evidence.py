from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.copying import CopyPropagator
from spss.propagation.evidence import FEATURES, evidence
from spss.propagation.learned_end import load_end
from spss.propagation.maps import depth_of, outward
from spss.propagation.stack import DrawnSlice, Stack
from spss.propagation.view import RADIUS_PIXELS, make_view


def _carried(scale=1, ends_at=8, pixel_mm=1.0):
    """A bright disc through 12 slices that is gone from ``ends_at`` on, carried by copying."""
    size = 32 * scale
    row, column = np.mgrid[:size, :size]
    disc = (row - size / 2) ** 2 + (column - size / 2) ** 2 < (8 * scale) ** 2
    slices = np.repeat(np.where(disc, 0.8, 0.2)[None], 12, 0).astype(np.float32)
    slices[ends_at:] = 0.2
    slices += np.random.default_rng(0).normal(0, 0.02, slices.shape).astype(np.float32)
    stack = Stack(slices, 1.0, (pixel_mm, pixel_mm))
    drawn = DrawnSlice(4, np.stack([~disc, disc]).astype(np.float32), 0, 11)
    return stack, drawn, CopyPropagator().carry(stack, (drawn,))[0]


def _channel(maps, name):
    return maps[FEATURES.index(name)]


def test_a_structure_looks_alike_at_any_resolution():
    views = [make_view(*_carried(scale, pixel_mm=1 / scale), 1) for scale in (2, 4)]
    assert views[0].radius == pytest.approx(views[1].radius, rel=0.03)
    assert views[0].radius == pytest.approx(RADIUS_PIXELS, rel=0.05)
    assert views[0].image.shape == views[1].image.shape


def test_a_view_goes_back_to_where_it_came_from():
    stack, drawn, carried = _carried(2)
    view = make_view(stack, drawn, carried, 1)
    back = view.back(view.prior)
    here = carried.probabilities[1][(slice(None), *view.box)]
    assert back.shape == here.shape
    assert np.abs(back - here).mean() < 0.02


def test_evidence_speaks_against_a_structure_that_is_gone():
    view = make_view(*_carried(), 1)
    seen = evidence(view)
    assert seen.shape == (len(FEATURES), *view.image.shape)
    assert np.isfinite(seen).all()
    inside = view.prior[4] > 0.5
    for name in ("residual_wide", "raw_residual", "slice_residual"):
        channel = _channel(seen, name)
        assert channel[9][inside].mean() > channel[5][inside].mean() + 0.2
    for name in ("likelihood", "texture", "slice_likelihood"):
        channel = _channel(seen, name)
        assert channel[9][inside].mean() < channel[5][inside].mean() - 0.5


def test_dark_and_bright_structures_are_alike():
    stack, drawn, carried = _carried()
    turned = Stack(1 - stack.slices, stack.thickness_mm, stack.pixel_mm)
    again = CopyPropagator().carry(turned, (drawn,))[0]
    bright = evidence(make_view(stack, drawn, carried, 1))
    dark = evidence(make_view(turned, drawn, again, 1))
    assert np.abs(_channel(bright, "image") - _channel(dark, "image")).max() < 1e-3
    assert np.abs(_channel(bright, "edge") - _channel(dark, "edge")).max() < 1e-2


def test_accumulation_goes_outwards_to_both_sides():
    values = np.array([5, 1, 2, 0, 3, 1, 4], np.float32)
    np.testing.assert_array_equal(outward(values, 3, np.maximum.accumulate), [5, 2, 2, 0, 3, 3, 4])


def test_depth_is_positive_inside():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    depth = depth_of(mask, 10)
    assert depth[4, 4] == pytest.approx(2.5, abs=0.1)
    assert depth[4, 0] == pytest.approx(-1.5, abs=0.1)


def test_the_shipped_end_rule_ends_a_structure_that_is_gone():
    stack, drawn, carried = _carried()
    logits = load_end().judge(stack, drawn, carried).logits(slice(0, 12))[0]
    inside = drawn.one_hot[1] > 0.5
    assert logits[5][inside].mean() > 1
    assert logits[10][inside].mean() < -1


def test_a_class_that_was_not_drawn_is_not_found():
    stack, drawn, _ = _carried()
    one_hot = np.concatenate([drawn.one_hot, np.zeros_like(drawn.one_hot[:1])])
    drawn = DrawnSlice(4, one_hot, 0, 11)
    carried = CopyPropagator().carry(stack, (drawn,))[0]
    assert (load_end().judge(stack, drawn, carried).logits(slice(0, 12))[1] < -5).all()
