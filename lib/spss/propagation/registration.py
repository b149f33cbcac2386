"""Carrying a drawn slice along displacement fields between neighbouring slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spss.propagation.fields import Field, compose, identity_field, sampling_grid, warp
from spss.propagation.stack import Carried, DrawnSlice, Stack

Register = Callable[[Stack, list[tuple[int, int]]], list[Field]]
"""Registers ``(target, source)`` pairs of a stack's slices, in one batch."""


def carry_along_fields(
    stack: Stack, drawn: tuple[DrawnSlice, ...], register: Register
) -> list[Carried]:
    """Registers all neighbouring pairs at once, then composes outwards from each drawn slice.

    Only the composition is sequential. The label and the image of the drawn slice are warped
    once, by the composed field.
    """
    pairs = sorted({pair for each in drawn for pair in _pairs(each)})
    fields = dict(zip(pairs, register(stack, pairs), strict=True))
    return [_carry_one(stack, each, fields) for each in drawn]


def _pairs(drawn: DrawnSlice) -> list[tuple[int, int]]:
    """``(target, source)`` of every step away from the drawn slice."""
    up = [(index, index - 1) for index in range(drawn.index + 1, drawn.last + 1)]
    down = [(index, index + 1) for index in range(drawn.first, drawn.index)]
    return up + down


def _carry_one(stack: Stack, drawn: DrawnSlice, fields: dict[tuple[int, int], Field]) -> Carried:
    count, height, width = stack.shape
    classes = drawn.one_hot.shape[0]
    probabilities = np.zeros((classes, count, height, width), np.float32)
    warped = np.zeros(stack.shape, np.float32)
    grid = sampling_grid(height, width)
    image = np.ascontiguousarray(stack.slices[drawn.index])
    label = np.ascontiguousarray(np.moveaxis(drawn.one_hot, 0, -1))
    probabilities[:, drawn.index], warped[drawn.index] = drawn.one_hot, image
    for step in (1, -1):
        total = identity_field(height, width)
        end = drawn.last if step > 0 else drawn.first
        for index in range(drawn.index + step, end + step, step):
            total = compose(fields[index, index - step], total, grid)
            moved = _warp_classes(label, total, grid)
            probabilities[:, index] = np.moveaxis(moved, -1, 0)
            warped[index] = warp(image, total, grid)
    residual = np.abs(warped - stack.slices)
    return Carried(probabilities=probabilities, warped=warped, residual=residual)


def _warp_classes(label: Field, total: Field, grid: Field) -> Field:
    """Warps in groups of four channels, the most OpenCV's remap takes reliably."""
    parts = [
        warp(np.ascontiguousarray(label[..., start : start + 4]), total, grid)
        for start in range(0, label.shape[-1], 4)
    ]
    parts = [part[..., None] if part.ndim == 2 else part for part in parts]
    return np.concatenate(parts, -1)
