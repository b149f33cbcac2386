"""Synthetic anatomies: small volumes with the difficulties of real ones, made in milliseconds.

Each case shows one elongated organ of two to four parts that begins and ends inside the volume,
bent and scaled differently from case to case, in textured surroundings with a bias field, a second
structure of similar brightness nearby, and noise. A small network learns it in under a minute;
optical flow can follow it from slice to slice.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from spss.datasets.dataset import Dataset, open_decathlon
from spss.errors import InputError
from spss.types import Affine, ClassMap, ImageArray, Shape, SpacingMm
from spss.volumes.grid import Grid
from spss.volumes.writing import write_label, write_map

_PART_NAMES = ("front", "back", "tail", "tip")
_PART_INTENSITIES = (780.0, 560.0, 680.0, 470.0)
_SURROUNDINGS = 260.0
_DISTRACTOR = 620.0


def make_phantoms(
    root: str | Path,
    count: int,
    *,
    shape: Shape = (28, 32, 24),
    seed: int = 0,
    class_count: int = 3,
    spacing_mm: SpacingMm = (1.0, 1.0, 1.0),
    affine: Affine | None = None,
    noise: float = 25.0,
) -> Dataset:
    """Writes a Decathlon folder of ``count`` phantoms and opens it.

    Args:
        root: folder to fill; made if absent.
        count: number of cases, named ``phantom_000`` and so on.
        shape: voxels along each axis, 8 or more.
        seed: the same seed writes the same voxels.
        class_count: classes including background, 2 to 5.
        spacing_mm: written into the affine unless ``affine`` is given.
        affine: voxel to RAS mm; an oblique or flipped one if wanted.
        noise: standard deviation of the voxels' noise; intensities run from about 100 to 900.

    Raises:
        InputError: ``class_count`` or ``shape`` is out of range.
    """
    if not 2 <= class_count <= len(_PART_NAMES) + 1 or min(shape) < 8:
        msg = f"Phantoms have 2 to 5 classes and 8 voxels or more, got {class_count} and {shape}."
        raise InputError(msg)
    root = Path(root)
    grid = Grid(shape, np.diag([*spacing_mm, 1.0]) if affine is None else affine, "phantom")
    names = [f"phantom_{index:03d}" for index in range(count)]
    for index, name in enumerate(names):
        image, label = draw_phantom(np.random.default_rng([seed, index]), shape, class_count, noise)
        write_map(root / "imagesTr" / f"{name}.nii.gz", image, like=grid)
        write_label(root / "labelsTr" / f"{name}.nii.gz", label, like=grid)
    classes = ["background", *_PART_NAMES[: class_count - 1]]
    description = {
        "name": "Phantoms",
        "modality": {"0": "synthetic"},
        "labels": {str(index): name for index, name in enumerate(classes)},
        "numTraining": count,
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
            for name in names
        ],
    }
    (root / "dataset.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    return open_decathlon(root)


def draw_phantom(
    rng: np.random.Generator, shape: Shape, class_count: int = 3, noise: float = 25.0
) -> tuple[ImageArray, ClassMap]:
    """One anatomy: ``(I, J, K)`` float32 image and uint8 classes."""
    axes = [np.linspace(-1, 1, size) for size in shape]
    coordinates = np.stack(np.meshgrid(*axes, indexing="ij"))
    bent = coordinates + 0.12 * np.stack([_smooth(rng, shape, 4) for _ in range(3)])
    centre = rng.uniform(-0.12, 0.12, size=(3, 1, 1, 1))
    along, across, up = bent - centre
    across = across - rng.uniform(-0.3, 0.3) * along**2
    length, width, height = rng.uniform([0.58, 0.34, 0.34], [0.72, 0.46, 0.46])
    inside = (along / length) ** 2 + (across / width) ** 2 + (up / height) ** 2 < 1
    part = np.floor((along / length + 1) / 2 * (class_count - 1)).astype(int)
    label = np.where(inside, 1 + np.clip(part, 0, class_count - 2), 0).astype(np.uint8)

    image = _SURROUNDINGS + 90 * _smooth(rng, shape, 5)
    beside = (along / 0.9) ** 2 + ((across - 0.75) / 0.18) ** 2 + ((up + 0.3) / 0.3) ** 2 < 1
    image[beside & ~inside] = _DISTRACTOR
    for index in range(1, class_count):
        image[label == index] = _PART_INTENSITIES[index - 1]
    image += inside * 30 * _smooth(rng, shape, 6)
    image = ndimage.gaussian_filter(image, 0.6) * (1 + 0.08 * _smooth(rng, shape, 3))
    image += rng.normal(0, noise, shape)
    return image.astype(np.float32), label


def _smooth(rng: np.random.Generator, shape: Shape, knots: int) -> np.ndarray:
    """Random field of unit scale: ``knots`` normal values per axis, interpolated by a spline."""
    coarse = rng.normal(size=(knots,) * 3)
    return ndimage.zoom(coarse, np.asarray(shape) / knots, order=3, mode="nearest")
