"""A cohort out of one labelled scan: copies bent by random smooth fields, labels bent alike.

The label of a copy is exactly as true as the scan's, since one transform resamples both. What the
cohort lacks is what one person lacks: other anatomies, other scanners. Say "warped copies of one
real scan" wherever its figures appear.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from tqdm import tqdm

from spss.datasets.dataset import Dataset, open_decathlon
from spss.errors import InputError
from spss.types import ClassMap, ImageArray
from spss.volumes.grid import Grid
from spss.volumes.intensity import robust_range
from spss.volumes.labels import read_label
from spss.volumes.volume import Volume, read_image
from spss.volumes.writing import write_label, write_map

ROTATION_DEGREES = 10.0
SCALE = 0.15
SHIFT_MM = 8.0
BEND_MM = 5.0
"""Standard deviation of the B-spline's control points."""

CONTROL_CELLS = 4
"""Cells of the B-spline per axis."""

MARGIN_MM = 26.0
"""Surroundings kept around the organ: room for rotation, scale and shift."""

NOISE_SHARE = 0.03
"""Standard deviation of added noise as a share of the image's robust range; contrast varies too."""


def make_warped_copies(
    root: Path,
    image: Path,
    label: Path,
    *,
    class_names: tuple[str, ...],
    count: int,
    spacing_mm: float,
    seed: int = 0,
) -> Dataset:
    """Writes ``count`` warped copies as a Decathlon folder and opens it.

    Args:
        root: folder to fill.
        image: the scan.
        label: its label map, on the same grid.
        class_names: names, background first.
        count: number of copies.
        spacing_mm: isotropic spacing of the copies, which show the organ and ``MARGIN_MM`` around.
        seed: the same seed writes the same voxels.

    Raises:
        InputError: image or label cannot be read, do not fit, or the label is empty.
    """
    scan = read_image(image)
    classes = read_label(label, like=scan, class_count=len(class_names), allow_empty=False)
    grid = _grid_around(classes, scan, spacing_mm)
    # Smoothed to the coarser spacing first: sampling every third voxel would alias.
    smooth = sitk.SmoothingRecursiveGaussian(_to_itk(scan.data, scan), spacing_mm / 3)
    pair = (smooth, _to_itk(classes, scan))
    intensities = robust_range(scan.data)
    entries = []
    for index in tqdm(range(count), desc="Warping copies", disable=None, leave=False):
        rng = np.random.default_rng([seed, index])
        copy_image, copy_label = _warp(rng, pair, grid, intensities)
        file = f"copy_{index:03d}.nii.gz"
        write_map(root / "imagesTr" / file, copy_image, like=grid)
        write_label(root / "labelsTr" / file, copy_label, like=grid)
        entries.append({"image": f"./imagesTr/{file}", "label": f"./labelsTr/{file}"})
    description = {
        "name": root.name,
        "description": f"Warped copies of one real scan ({scan.name})",
        "labels": {str(index): name for index, name in enumerate(class_names)},
        "numTraining": count,
        "training": entries,
    }
    (root / "dataset.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    return open_decathlon(root)


def _grid_around(classes: ClassMap, scan: Volume, spacing_mm: float) -> Grid:
    """An isotropic grid along the scan's axes, around the organ, inside the scan."""
    organ = np.argwhere(classes > 0)
    scan_spacing = np.asarray(scan.spacing_mm)
    margin = MARGIN_MM / scan_spacing
    first = np.maximum(organ.min(axis=0) - margin, 0)
    last = np.minimum(organ.max(axis=0) + margin, np.asarray(scan.shape) - 1)
    shape = np.floor((last - first) * scan_spacing / spacing_mm).astype(int) + 1
    if shape.min() < 8:
        msg = f"The organ in {scan.name} is too small for copies at {spacing_mm} mm."
        raise InputError(msg)
    affine = scan.affine.copy()
    affine[:3, :3] = scan.affine[:3, :3] / scan_spacing * spacing_mm
    affine[:3, 3] = (scan.affine @ np.append(first, 1))[:3]
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine, "copy")


def _warp(
    rng: np.random.Generator,
    pair: tuple[Any, Any],
    grid: Grid,
    intensities: tuple[float, float],
) -> tuple[ImageArray, ClassMap]:
    """One copy: turned, scaled, bent, brighter or darker, with noise of its own."""
    reference = _to_itk(np.zeros(grid.shape, np.uint8), grid)
    transform = sitk.CompositeTransform([_affine(rng, reference), _bend(rng, reference)])
    low, high = intensities
    image = sitk.Resample(pair[0], reference, transform, sitk.sitkLinear, low)
    label = sitk.Resample(pair[1], reference, transform, sitk.sitkNearestNeighbor, 0)
    voxels = sitk.GetArrayFromImage(image).T * rng.uniform(0.9, 1.1)
    voxels = voxels + rng.normal(0, NOISE_SHARE * (high - low), grid.shape)
    return voxels.astype(np.float32), sitk.GetArrayFromImage(label).T


def _affine(rng: np.random.Generator, reference: Any) -> Any:
    """A random turn, shift and scaling about the middle of the volume."""
    transform = sitk.Euler3DTransform()
    size = reference.GetSize()
    transform.SetCenter(
        reference.TransformContinuousIndexToPhysicalPoint([(length - 1) / 2 for length in size])
    )
    angles = np.deg2rad(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES, 3))
    transform.SetRotation(*map(float, angles))
    transform.SetTranslation(rng.uniform(-SHIFT_MM, SHIFT_MM, 3).tolist())
    scale = sitk.ScaleTransform(3, rng.uniform(1 - SCALE, 1 + SCALE, 3).tolist())
    scale.SetCenter(transform.GetCenter())
    return sitk.CompositeTransform([transform, scale])


def _bend(rng: np.random.Generator, reference: Any) -> Any:
    transform = sitk.BSplineTransformInitializer(reference, [CONTROL_CELLS] * 3)
    parameters = rng.normal(0, BEND_MM, len(transform.GetParameters()))
    transform.SetParameters(parameters.tolist())
    return transform


def _to_itk(array: np.ndarray, grid: Grid | Volume) -> Any:
    """SimpleITK image on the grid's own place, so that the fields are in millimetres."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / np.asarray(grid.spacing_mm)).ravel().tolist())
    return image
