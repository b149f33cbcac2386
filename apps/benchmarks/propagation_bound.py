"""How well could any rule tell right voxels from wrong ones, if it knew how bad each slice is?

``python apps/benchmarks/propagation_bound.py``: an oracle is told, for every slice and class that
plain flow carried, exactly what share of its voxels is wrong, and how deep in the contour every
voxel lies, but not where the truth is. Its AUROC bounds what distance, residuals over a slice, and
disagreement of whole contours can reach; beyond it lies only finding the border itself, for which
the AUROC of the blurred truth is given.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from spss.annotation import SparseLabel
from spss.propagation import propagate
from spss_apps.benchmarks.propagation import DEFAULT_DATA
from spss_apps.benchmarks.propagation_table import auroc
from spss_apps.benchmarks.propagation_tasks import SETS, Task, tasks

BINS = 24
"""Of depth and of the wrong share: the oracle's forecast is the share of right voxels in a bin."""

BLURS = (1.0, 2.0, 4.0)
"""Standard deviations, in pixels, of the blurred truth."""

Samples = NDArray[np.float64]


def main() -> None:
    """Prints the AUROC of each oracle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, default="acdc")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--ct", type=Path, help="see benchmark.py propagation")
    parser.add_argument("--volumes", type=int, default=10)
    args = parser.parse_args()
    chosen = islice(tasks(args.set, args.data, args.ct, 0, "one"), args.volumes)
    depth, share, right, *blurred = np.concatenate([samples(task) for task in chosen], axis=1)
    print(f"{args.set}: {right.size} voxels plain flow calls foreground, {right.mean():.3f} right")
    print(f"depth in the contour alone: {auroc(depth, right):.3f}")
    print(f"right share of the slice alone: {auroc(share, right):.3f}")
    print(f"both: {auroc(best_forecast(depth, share, right), right):.3f}")
    for sigma, score in zip(BLURS, blurred, strict=True):
        print(f"truth blurred by {sigma:g} pixels: {auroc(score, right):.3f}")


def samples(task: Task) -> Samples:
    """Rows depth, right share, right, and the blurred truths; a column for each voxel."""
    flow = propagate(
        task.volume.data,
        SparseLabel.from_planes(task.truth, task.planes),
        spacing_mm=task.volume.spacing_mm,
        class_count=task.class_count,
        propagator="flow",
        end_rule="none",
        threads=1,
    ).classes
    found, truth = (np.moveaxis(each, task.axis, 0) for each in (flow, task.truth))
    drawn = {plane.index for plane in task.planes}
    columns = [
        _of_structure(found[index] == value, truth[index] == value)
        for index in range(len(found))
        for value in range(1, task.class_count)
        if index not in drawn and (found[index] == value).any()
    ]
    return np.concatenate(columns, axis=1) if columns else np.zeros((3 + len(BLURS), 0))


def _of_structure(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Samples:
    right = truth[mask].astype(float)
    depth = distance_transform_edt(mask)[mask] / np.sqrt(mask.sum() / np.pi)
    blurred = [gaussian_filter(truth.astype(float), sigma)[mask].round(4) for sigma in BLURS]
    return np.stack([depth, np.full(right.size, right.mean()), right, *blurred])


def best_forecast(depth: Samples, share: Samples, right: Samples) -> Samples:
    """Share of right voxels among those of like depth and slice: the best a rule of both can say.

    It is read from the voxels it is judged on, so it flatters the oracle.
    """
    places = [
        np.searchsorted(np.quantile(each, np.linspace(0, 1, BINS + 1)[1:-1]), each)
        for each in (depth, share)
    ]
    place = places[0] * BINS + places[1]
    count = np.bincount(place, minlength=BINS * BINS)
    hit = np.bincount(place, weights=right, minlength=BINS * BINS)
    return np.asarray((hit / np.maximum(count, 1))[place])


if __name__ == "__main__":
    main()
