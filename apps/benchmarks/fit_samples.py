"""Evidence and truth of voxels, from planes that are drawn, carried and judged as a user's are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.propagation.evidence import FEATURES, evidence
from spss.propagation.familiarity import NEAR
from spss.propagation.flow import FlowPropagator
from spss.propagation.opinion import drawn_slices
from spss.propagation.region import region_of
from spss.propagation.stack import DrawnSlice, Stack, make_stack, scale_intensities
from spss.propagation.view import make_view, resize
from spss.types import ClassMap
from spss_apps.benchmarks.fit_organs import Drawn
from spss_apps.benchmarks.fit_perceptron import Samples

VOXELS = 1500
"""Of a structure, drawn with replacement where it has fewer."""

LEAST_PIXELS = 6
MANY_SLICES = 40
"""Stacks of no more slices are not thinned."""

THICKER_SHARE = 0.4
MERGED_SHARE = 0.3


def gather(drawn: Iterable[Drawn], share: float, rng: np.random.Generator) -> Samples:
    """Equally many voxels near every carried structure.

    Args:
        drawn: volumes and planes.
        share: how often these are drawn together, against the other sets'.
        rng: augments, and chooses voxels.
    """
    features, truth = [], []
    for each in drawn:
        for seen, target, index in structures(each, rng):
            near = (seen[FEATURES.index("depth")] > NEAR) | (target > 0.5)
            near[index] = False
            places = np.flatnonzero(near)
            if len(places):
                places = rng.choice(places, VOXELS, replace=len(places) < VOXELS)
                features.append(seen.reshape(len(seen), -1)[:, places].T)
                truth.append(target.reshape(-1)[places])
    weight = np.full(len(truth), share / max(1, len(truth)), np.float32)
    return Samples(np.stack(features).astype(np.float32), np.stack(truth), weight)


def joined(parts: Iterable[Samples]) -> Samples:
    """Several sets as one."""
    parts = list(parts)
    return Samples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def structures(
    drawn: Drawn, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], int]]:
    """Evidence, truth, and the drawn slice's place, of every class on the plane."""
    axis = drawn.plane.axis
    image = _other_contrast(scale_intensities(drawn.image), rng)
    stack = make_stack(image, axis, drawn.spacing_mm)
    stack, classes, plane = _thicker(stack, drawn.classes, drawn.plane, rng)
    classes = _fewer_classes(classes, plane, rng)
    class_count = int(classes.max()) + 1
    if not classes[plane.slices].any():
        return
    sparse = SparseLabel.from_planes(classes, [plane])
    (whole,) = drawn_slices(sparse, axis, class_count, spacing_mm=drawn.spacing_mm)
    rows, columns = region_of((whole,))
    part = Stack(
        scale_intensities(stack.slices[:, rows, columns], stack.bounds),
        stack.thickness_mm,
        stack.pixel_mm,
    )
    one_hot = np.ascontiguousarray(whole.one_hot[:, rows, columns])
    inside = DrawnSlice(whole.index, one_hot, whole.first, whole.last)
    (carried,) = FlowPropagator().carry(part, (inside,))
    truth = np.moveaxis(classes, axis, 0)[:, rows, columns]
    for index in range(1, class_count):
        if one_hot[index].sum() >= LEAST_PIXELS:
            view = make_view(part, inside, carried, index)
            target = (truth == index)[(slice(None), *view.box)].astype(np.float32)
            size = (view.image.shape[1], view.image.shape[2])
            yield evidence(view), resize(target, size), view.index


def _thicker(
    stack: Stack, label: ClassMap, plane: Plane, rng: np.random.Generator
) -> tuple[Stack, ClassMap, Plane]:
    """Now and then every second to fourth slice only: constants must not know a spacing."""
    count = len(stack.slices)
    if count <= MANY_SLICES or rng.random() > THICKER_SHARE:
        return stack, label, plane
    every = int(rng.integers(2, 5))
    kept = slice(plane.index % every, None, every)
    slices = np.ascontiguousarray(stack.slices[kept])
    along = np.moveaxis(np.moveaxis(label, plane.axis, 0)[kept], 0, plane.axis)
    thick = Stack(slices, stack.thickness_mm * every, stack.pixel_mm, stack.bounds)
    return thick, np.ascontiguousarray(along), Plane(plane.axis, plane.index // every)


def _fewer_classes(label: ClassMap, plane: Plane, rng: np.random.Generator) -> ClassMap:
    """Now and then some classes as one and the rest as background."""
    drawn = np.unique(label[plane.slices])
    drawn = drawn[drawn > 0]
    if len(drawn) < 2 or rng.random() > MERGED_SHARE:
        return label
    kept = rng.permutation(drawn)[: int(rng.integers(1, len(drawn) + 1))]
    return np.isin(label, kept).astype(np.uint8)


def _other_contrast(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gamma, noise, and now and then a negative: constants must not know a scanner."""
    if rng.random() < 0.5:
        image = image ** float(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.5:
        image = image + rng.normal(0, abs(rng.normal(0, 0.03)), image.shape)
    if rng.random() < 0.2:
        image = 1 - image
    return np.asarray(image, np.float32)
