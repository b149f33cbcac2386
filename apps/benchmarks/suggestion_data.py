"""The small set that simulated annotation runs on: a data set at half its resolution or less.

Resampled before any annotation is simulated, as nnActive does (arXiv:2511.19183): planes are then
planes of the grid that is trained on, and none is lost or smeared by resampling.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from spss.datasets import Dataset, open_decathlon
from spss.types import ClassMap, ImageArray
from spss.volumes import Grid, read_grid, read_image, read_label, write_label, write_map

FINE = 1.5
"""Axes with at most this many times the finest spacing are halved; thick slices stay."""

SMALL = 50_000
"""Voxels of a volume from which its set is halved once more: one training takes half a minute."""


def small_dataset(data: Path, folder: Path) -> Dataset:
    """Writes the set once, and opens it.

    Args:
        data: Decathlon folder.
        folder: where small sets are kept; ``dataset.json`` is written last.
    """
    dataset = open_decathlon(data)
    factors = coarsening(read_grid(dataset.cases[0].image))
    root = folder / f"{data.name}-{max(factors)}x-coarser"
    if (root / "dataset.json").is_file():
        return open_decathlon(root)
    entries = []
    for case in dataset.cases:
        if case.label is None:
            continue
        volume = read_image(case.image)
        label = read_label(case.label, like=volume)
        grid = _coarse_grid(volume.shape, volume.affine, factors)
        names = {kind: f"{kind}Tr/{case.name}.nii.gz" for kind in ("images", "labels")}
        write_map(root / names["images"], coarse_image(volume.data, factors), like=grid)
        classes = coarse_label(label, factors, len(dataset.class_names))
        write_label(root / names["labels"], classes, like=grid)
        entry = {"image": names["images"], "label": names["labels"]}
        entries.append({**entry, "patient": case.patient or case.name})
    labels = {str(value): name for value, name in enumerate(dataset.class_names)}
    text = json.dumps({"labels": labels, "training": entries}, indent=1)
    (root / "dataset.json").write_text(text, encoding="utf-8")
    return open_decathlon(root)


def coarsening(grid: Grid) -> tuple[int, ...]:
    """Voxels an axis that become one: halved at least once, and until the volume is small."""
    factors = [1, 1, 1]
    shape, spacing_mm = list(grid.shape), list(grid.spacing_mm)
    while max(factors) == 1 or math.prod(shape) > SMALL:
        finest = min(spacing_mm)
        for axis in range(3):
            if spacing_mm[axis] <= FINE * finest:
                factors[axis], shape[axis] = 2 * factors[axis], shape[axis] // 2
                spacing_mm[axis] *= 2
    return tuple(factors)


def coarse_image(image: ImageArray, factors: tuple[int, ...]) -> ImageArray:
    """Means of blocks; an odd last plane is cut off."""
    return np.asarray(_blocks(image, factors).mean(axis=-1), np.float32)


def coarse_label(label: ClassMap, factors: tuple[int, ...], class_count: int) -> ClassMap:
    """The commonest class of each block; of two alike the larger number, so that none fades."""
    blocks = _blocks(label, factors)
    counts = np.stack([(blocks == value).sum(axis=-1) for value in range(class_count)])
    return np.asarray(class_count - 1 - counts[::-1].argmax(axis=0), np.uint8)


def _blocks(array: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    i, j, k = (size // factor for size, factor in zip(array.shape, factors, strict=True))
    a, b, c = factors
    cut = array[: i * a, : j * b, : k * c].reshape(i, a, j, b, k, c)
    return cut.transpose(0, 2, 4, 1, 3, 5).reshape(i, j, k, a * b * c)


def _coarse_grid(shape: tuple[int, ...], affine: np.ndarray, factors: tuple[int, ...]) -> Grid:
    scale = np.diag([*factors, 1.0]).astype(float)
    scale[:3, 3] = [(factor - 1) / 2 for factor in factors]  # the centre of the first block
    coarse = tuple(size // factor for size, factor in zip(shape, factors, strict=True))
    return Grid(coarse, affine @ scale)  # type: ignore[arg-type]
