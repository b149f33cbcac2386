"""Fits the constants of the learned end rule: ``python apps/benchmarks/fit_end.py OUT.npz …``.

Draws one plane in many labelled volumes, carries it by optical flow, gathers the evidence, and fits
a small perceptron that says from the evidence whether a voxel belongs to the structure. Only the
train split is drawn from, without the volumes that `propagation` measures on (first 40 hippocampi,
patients of every fifth ACDC volume). Any densely labelled volume may be added with --organs;
--leave-out fits without a set, to see what the constants are worth on an organ they do not know.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from spss.propagation.familiarity import Familiarity, describe
from spss.propagation.learned_end import LearnedEnd, save_end
from spss_apps.benchmarks.fit_organs import draw_cases, draw_organs, train_cases
from spss_apps.benchmarks.fit_perceptron import fit
from spss_apps.benchmarks.fit_samples import gather, joined

SETS = {"hippocampus": (0, 0, 1, 2), "acdc": (2,)}
"""Axes that planes are drawn along: an ACDC volume has but ten slices, 9 mm apart."""

DESCRIBED = 700
"""Structures whose descriptions are kept: enough to tell a strange one, small on disk."""

ORGANS_SHARE = 0.5
"""How often organs of all --organs together are learned from, against 1 of a main set."""


def main() -> None:
    """Fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    data = Path("../shared/data")
    parser.add_argument("--hippocampus", type=Path, default=data / "Task04_Hippocampus")
    parser.add_argument("--acdc", type=Path, default=data / "ACDC")
    parser.add_argument(
        "--organs",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("IMAGE", "LABELS"),
        help="a densely labelled volume; may be given again",
    )
    parser.add_argument("--leave-out", choices=tuple(SETS), help="fit without it")
    parser.add_argument("--planes", type=int, default=1600, help="planes drawn in a main set")
    parser.add_argument("--organ-planes", type=int, default=100, help="and in an --organs volume")
    parser.add_argument("--steps", type=int, default=20_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    parts = []
    for name, axes in SETS.items():
        if name != args.leave_out:
            cases = train_cases(getattr(args, name), name)
            parts.append(gather(draw_cases(cases, axes, args.planes, rng), 1.0, rng))
    samples = joined(parts)
    special = fit(samples, args.steps)
    for image, labels in args.organs:
        drawn = draw_organs(image, labels, args.organ_planes, rng)
        parts.append(gather(drawn, ORGANS_SHARE / len(args.organs), rng))
    general = fit(joined(parts), args.steps) if args.organs else special
    known = np.stack([describe(each) for each in samples.features])
    known = rng.permutation(known)[:DESCRIBED]
    save_end(LearnedEnd(special, general, Familiarity(known)), args.out)


if __name__ == "__main__":
    main()
