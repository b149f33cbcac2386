"""Time and peak memory of one plane in a large phantom: ``propagation_large.py [--range 20]``."""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.propagation import list_propagators, propagate
from spss.types import ClassMap, ImageArray

SPACING_MM = (0.8, 0.8, 1.0)
LINUX_UNIT = 1e6
"""Linux counts the peak resident size in kilobytes."""


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 300))
    parser.add_argument("--range", type=int, help="slices to each side (default: all)")
    parser.add_argument("--propagator", default="auto", choices=list_propagators())
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    image, label = phantom(tuple(args.shape), np.random.default_rng(0))
    sparse = SparseLabel.from_planes(label, [Plane(2, args.shape[2] // 2)])
    before, started, used = peak_gb(), time.perf_counter(), time.process_time()
    propagate(
        image,
        sparse,
        spacing_mm=SPACING_MM,
        class_count=2,
        propagator=args.propagator,
        range_slices=args.range,
        threads=args.threads,
    )
    print(
        f"{time.perf_counter() - started:.1f} s, {time.process_time() - used:.1f} s of CPU, "
        f"peak {peak_gb():.2f} GB ({before:.2f} before), load {os.getloadavg()[0]:.1f}"
    )


def phantom(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[ImageArray, ClassMap]:
    """An ellipsoid two fifths as wide as the volume, on a wavy ground with noise."""
    image, label = np.empty(shape, np.float32), np.zeros(shape, np.uint8)
    middle, radii = np.array(shape) / 2, np.array(shape) * (0.18, 0.21, 0.33)
    grid = np.ogrid[: shape[0], : shape[1], : shape[2]]
    across, along = (((grid[a][0] - middle[a]) / radii[a]) ** 2 for a in (1, 2))
    for index in range(shape[0]):  # a slice at a time: the phantom must not set the peak
        label[index] = ((index - middle[0]) / radii[0]) ** 2 + across + along < 1
        ground = 20 * np.sin(index / 23) + 20 * np.cos(grid[1][0] / 31)
        image[index] = rng.normal(0, 8, shape[1:]) + 60.0 * label[index] + ground
    return image, label


def peak_gb() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / LINUX_UNIT


if __name__ == "__main__":
    main()
