"""The small set that simulated annotation runs on: half the resolution, large images cropped.

Resampled before any annotation is simulated, as nnActive does (arXiv:2511.19183): planes are then
planes of the grid that is trained on, and none is lost or smeared by resampling. Large fields of
view are cropped about the organ in the plane of their slices, as those who made the hippocampus set
did with theirs: finding it takes longer trainings than hundreds of cells can have.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from monai.transforms.utils import generate_spatial_bounding_box

from spss.datasets import Dataset, open_decathlon
from spss.types import ClassMap, ImageArray, SpacingMm
from spss.volumes import Grid, read_image, read_label, write_label, write_map

FINE = 1.5
"""Axes with at most this many times the finest spacing are halved; thick slices stay."""

SMALL = 50_000
"""Voxels of a volume, at half the resolution, up to which it is not cropped."""

MARGIN_MM = 25.0
"""Kept around the organ on each side."""


def small_dataset(data: Path, folder: Path) -> Dataset:
    """Writes the set once, and opens it.

    Args:
        data: Decathlon folder.
        folder: where small sets are kept; ``dataset.json`` is written last.
    """
    root = folder / f"{data.name}-small"
    if (root / "dataset.json").is_file():
        return open_decathlon(root)
    dataset = open_decathlon(data)
    entries = []
    for case in dataset.cases:
        if case.label is None:
            continue
        volume = read_image(case.image)
        label = read_label(case.label, like=volume)
        factors = halving(volume.spacing_mm)
        box = _box(label, volume.spacing_mm, factors)
        grid = _coarse_grid(volume.shape, volume.affine, factors, box)
        names = {kind: f"{kind}Tr/{case.name}.nii.gz" for kind in ("images", "labels")}
        write_map(root / names["images"], coarse_image(volume.data[box], factors), like=grid)
        classes = coarse_label(label[box], factors, len(dataset.class_names))
        write_label(root / names["labels"], classes, like=grid)
        entry = {"image": names["images"], "label": names["labels"]}
        entries.append({**entry, "patient": case.patient or case.name})
    labels = {str(value): name for value, name in enumerate(dataset.class_names)}
    text = json.dumps({"labels": labels, "training": entries}, indent=1)
    (root / "dataset.json").write_text(text, encoding="utf-8")
    return open_decathlon(root)


def halving(spacing_mm: SpacingMm) -> tuple[int, ...]:
    """2 for axes that are halved, 1 for the others."""
    return tuple(2 if size <= FINE * min(spacing_mm) else 1 for size in spacing_mm)


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


def _box(
    label: ClassMap, spacing_mm: SpacingMm, factors: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """The part that is kept: of large volumes, along the fine axes, the organ; of others all."""
    whole = (slice(0, label.shape[0]), slice(0, label.shape[1]), slice(0, label.shape[2]))
    if label.size / math.prod(factors) <= SMALL or not label.any():
        return whole
    margin = [math.ceil(MARGIN_MM / size_mm) for size_mm in spacing_mm]
    ends = generate_spatial_bounding_box(label[None], margin=margin, allow_smaller=True)
    first, second, third = (
        slice(start, stop) if factor > 1 else all_of_it
        for start, stop, factor, all_of_it in zip(*ends, factors, whole, strict=True)
    )
    return first, second, third


def _coarse_grid(
    shape: tuple[int, ...],
    affine: np.ndarray,
    factors: tuple[int, ...],
    box: tuple[slice, slice, slice],
) -> Grid:
    scale = np.diag([*factors, 1.0]).astype(float)
    # the centre of the first block
    scale[:3, 3] = [
        part.start + (factor - 1) / 2 for factor, part in zip(factors, box, strict=True)
    ]
    sizes = [len(range(*part.indices(size))) for part, size in zip(box, shape, strict=True)]
    coarse = tuple(size // factor for size, factor in zip(sizes, factors, strict=True))
    return Grid(coarse, affine @ scale)  # type: ignore[arg-type]
