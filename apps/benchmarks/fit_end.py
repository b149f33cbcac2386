"""Fits the constants of the learned end rule: ``python apps/benchmarks/fit_end.py OUT.npz …``.

Draws one plane in many labelled volumes, carries it by optical flow, gathers the evidence, and fits
a small perceptron that says from the evidence whether a voxel belongs to the structure. Only the
train split is drawn from, without the volumes that `propagation` measures on (first 40 hippocampi,
patients of every fifth ACDC volume). Any Decathlon folder may be added with --extra; --leave-out
fits without a set, to see what the constants are worth on an organ they do not know.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.datasets import Case, open_decathlon, split
from spss.propagation.evidence import FEATURES, evidence
from spss.propagation.flow import FlowPropagator
from spss.propagation.learned_end import LearnedEnd, save_end
from spss.propagation.opinion import drawn_slices
from spss.propagation.region import region_of
from spss.propagation.stack import DrawnSlice, Stack, make_stack, scale_intensities
from spss.propagation.view import make_view, resize
from spss.types import ClassMap
from spss.volumes import read_image, read_label
from spss_apps.benchmarks.propagation_tasks import measured_cases

MIDDLE = 0.2
"""Planes are drawn in the middle 3/5 of the organ."""

NEAR = -1.2
"""Depth, in radii, of the farthest voxels that are learned from."""

LEAST_PIXELS = 6
MANY_SLICES = 40
"""Stacks of no more slices are not thinned."""

THICKER_SHARE = 0.4
MERGED_SHARE = 0.3
HIDDEN = (96, 32)
NOISE = 0.2
"""Standard deviation of the noise on the standardised evidence: planes are few, voxels many."""


@dataclass(frozen=True)
class Samples:
    """Evidence ``(n, features)`` and truth ``(n,)`` 0…1 of voxels."""

    features: NDArray[np.float32]
    truth: NDArray[np.float32]


def main() -> None:
    """Fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--hippocampus", type=Path, default=Path("../shared/data/Task04_Hippocampus")
    )
    parser.add_argument("--acdc", type=Path, default=Path("../shared/data/ACDC"))
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="Decathlon folders")
    parser.add_argument("--leave-out", choices=("hippocampus", "acdc"), help="fit without it")
    parser.add_argument("--planes", type=int, default=200, help="planes drawn in each set")
    parser.add_argument("--voxels", type=int, default=250_000, help="voxels taken of a main set")
    parser.add_argument("--extra-voxels", type=int, default=50_000, help="and of an extra one")
    parser.add_argument("--steps", type=int, default=6000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    main_sets = {
        "hippocampus": (lambda: train_cases(args.hippocampus, "hippocampus"), (0, 0, 1, 2)),
        "acdc": (lambda: train_cases(args.acdc, "acdc"), (2,)),
    }
    parts = [
        gather(cases(), axes, args.planes, args.voxels, rng)
        for name, (cases, axes) in main_sets.items()
        if name != args.leave_out
    ]
    for folder in args.extra:
        cases = list(open_decathlon(folder).cases)
        parts.append(gather(cases, (0, 1, 2), args.planes, args.extra_voxels, rng))
    samples = Samples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.truth for part in parts]),
    )
    save_end(fit(samples, args.steps), args.out)


def train_cases(root: Path, set_name: str) -> list[Case]:
    """The train split, without every patient that ``propagation`` measures on."""
    dataset = open_decathlon(root)
    measured = {case.patient or case.name for case in measured_cases(dataset, set_name)}
    cases = [dataset.case(name) for name in split(dataset)["train"]]
    return [case for case in cases if (case.patient or case.name) not in measured]


def gather(
    cases: list[Case],
    axes: tuple[int, ...],
    planes: int,
    voxels: int,
    rng: np.random.Generator,
) -> Samples:
    """Voxels near carried structures, equally many of every structure."""
    found = []
    for number in range(planes):
        case = cases[int(rng.integers(len(cases)))]
        if case.label is not None:
            found += list(structures(case, axes[number % len(axes)], rng))
    share = max(50, voxels // max(1, len(found)))
    features, truth = [], []
    for seen, target, drawn in found:
        near = (seen[FEATURES.index("depth")] > NEAR) | (target > 0.5)
        near[drawn] = False
        places = np.flatnonzero(near)
        places = rng.choice(places, min(share, len(places)), replace=False)
        features.append(seen.reshape(len(seen), -1)[:, places].T)
        truth.append(target.reshape(-1)[places])
    return Samples(np.concatenate(features).astype(np.float32), np.concatenate(truth))


def structures(
    case: Case, axis: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], int]]:
    """Evidence, truth, and the drawn slice's place, of every class on a random plane."""
    volume = read_image(case.image)
    label = read_label(case.label, like=volume)  # type: ignore[arg-type]
    class_count = int(label.max()) + 1
    plane = Plane(axis, _middle_plane(label, axis, rng))
    if class_count < 2 or not label[plane.slices].any():
        return
    stack = make_stack(
        _other_contrast(scale_intensities(volume.data), rng), axis, volume.spacing_mm
    )
    stack, label, plane = _thicker(stack, label, plane, rng)
    label = _fewer_classes(label, plane, rng)
    class_count = int(label.max()) + 1
    sparse = SparseLabel.from_planes(label, [plane])
    (drawn,) = drawn_slices(sparse, axis, class_count)
    rows, columns = region_of((drawn,))
    part = Stack(
        scale_intensities(stack.slices[:, rows, columns], stack.bounds),
        stack.thickness_mm,
        stack.pixel_mm,
    )
    one_hot = np.ascontiguousarray(drawn.one_hot[:, rows, columns])
    inside = DrawnSlice(drawn.index, one_hot, drawn.first, drawn.last)
    (carried,) = FlowPropagator().carry(part, (inside,))
    truth = np.moveaxis(label, axis, 0)[:, rows, columns]
    for index in range(1, class_count):
        if one_hot[index].sum() >= LEAST_PIXELS:
            view = make_view(part, inside, carried, index)
            target = (truth == index)[(slice(None), *view.box)].astype(np.float32)
            yield (
                evidence(view),
                resize(target, (view.image.shape[1], view.image.shape[2])),
                view.index,
            )


def fit(samples: Samples, steps: int, seed: int = 0) -> LearnedEnd:
    """Adam, cosine decay, noise on the inputs; the standardisation goes into the first layer."""
    torch.manual_seed(seed)
    features, truth = torch.from_numpy(samples.features), torch.from_numpy(samples.truth)
    mean, deviation = features.mean(0), features.std(0) + 1e-2
    features = (features - mean) / deviation
    sizes = (len(FEATURES), *HIDDEN, 1)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(0, len(features), (1024,))
        seen = features[chosen] + NOISE * torch.randn(1024, features.shape[1])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(seen)[:, 0], truth[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    weights = [layer.weight.detach().numpy().T.copy() for layer in layers]
    biases = [layer.bias.detach().numpy().copy() for layer in layers]
    biases[0] -= (mean / deviation).numpy() @ weights[0]
    weights[0] /= deviation.numpy()[:, None]
    return LearnedEnd(tuple(weights), tuple(biases))


def _middle_plane(label: ClassMap, axis: int, rng: np.random.Generator) -> int:
    others = tuple(other for other in range(3) if other != axis)
    present = np.flatnonzero((label > 0).any(axis=others))
    first, last = int(present[0]), int(present[-1])
    margin = MIDDLE * (last - first + 1)
    low, high = int(np.ceil(first + margin)), int(np.floor(last - margin))
    return int(rng.integers(low, max(low, high) + 1))


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


if __name__ == "__main__":
    main()
