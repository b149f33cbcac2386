"""Write an annotations file: which planes a simulated annotator draws in a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from spss.datasets import make_budget, open_decathlon, write_annotations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss budget``."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder in the Decathlon layout")
    parser.add_argument(
        "--plan",
        required=True,
        help="planes x volumes, such as 1x20, 1x200 or 2x20 (orthogonal planes); or full20, full",
    )
    parser.add_argument(
        "--axis", type=int, required=True, choices=(0, 1, 2), help="voxel axis across the planes"
    )
    parser.add_argument("--seed", type=int, default=0, help="which volumes and planes (default 0)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")


def run(args: argparse.Namespace) -> int:
    """Draws the budget from the training split's labels and writes it."""
    annotations = make_budget(open_decathlon(args.data), args.plan, args.axis, args.seed)
    write_annotations(args.output, annotations)
    planes = sum(len(entry) for entry in annotations.values() if entry != "dense")
    amount = f"{planes} planes" if planes else "whole labels"
    print(f"{args.output}: {amount} in {len(annotations)} training volumes.")
    return 0
