"""Carrying a drawn slice along displacement fields between neighbouring slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spss.propagation.fields import Field, compose, identity_field, sampling_grid, warp
from spss.propagation.stack import Carried, DrawnSlice, Stack

Register = Callable[[Stack, list[tuple[int, int]]], list[Field]]
"""Registers ``(target, source)`` pairs of a stack's slices, in one batch."""


BATCH = 32
"""Slice pairs registered at a time: enough to keep every core busy, few enough to forget."""


def carry_along_fields(
    stack: Stack, drawn: tuple[DrawnSlice, ...], register: Register
) -> list[Carried]:
    """Registers neighbouring pairs in batches and composes outwards from each drawn slice.

    Only the composition is sequential. The label and the image of the drawn slice are warped
    once, by the composed field.
    """
    return [_carry_one(stack, each, register) for each in drawn]


def _carry_one(stack: Stack, drawn: DrawnSlice, register: Register) -> Carried:
    """Slice by slice away from the plane; fields are composed, so the label is warped once."""
    classes = drawn.one_hot.shape[0]
    probabilities = np.zeros((classes, *stack.shape), np.float32)
    warped = np.zeros(stack.shape, np.float32)
    grid = sampling_grid(stack.shape[1], stack.shape[2])
    image = np.ascontiguousarray(stack.slices[drawn.index])
    label = np.ascontiguousarray(np.moveaxis(drawn.one_hot, 0, -1))
    probabilities[:, drawn.index], warped[drawn.index] = drawn.one_hot, image
    for step in (1, -1):
        total = identity_field(stack.shape[1], stack.shape[2])
        end = drawn.last if step > 0 else drawn.first
        targets = list(range(drawn.index + step, end + step, step))
        for start in range(0, len(targets), BATCH):
            part = targets[start : start + BATCH]
            fields = register(stack, [(index, index - step) for index in part])
            for index, field in zip(part, fields, strict=True):
                total = compose(field, total, grid)
                moved = _warp_classes(label, total, grid)
                probabilities[:, index] = np.moveaxis(moved, -1, 0)
                warped[index] = warp(image, total, grid)
    return Carried(probabilities=probabilities, warped=warped)


def _warp_classes(label: Field, total: Field, grid: Field) -> Field:
    """Warps in groups of four channels, the most OpenCV's remap takes reliably."""
    parts = [
        warp(np.ascontiguousarray(label[..., start : start + 4]), total, grid)
        for start in range(0, label.shape[-1], 4)
    ]
    parts = [part[..., None] if part.ndim == 2 else part for part in parts]
    return np.concatenate(parts, -1)
