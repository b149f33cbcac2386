"""What the commands on a partly annotated data set share: its options, and opening it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spss.datasets import Annotations, Case, Dataset


def add_arguments(
    parser: argparse.ArgumentParser, *, annotations: str, train_split_only: str
) -> None:
    """Adds the folder, what was drawn in it, and whether the benchmark's other splits stay out.

    Args:
        parser: takes the options.
        annotations: what the file's planes are to the command, for ``--help``.
        train_split_only: what becomes of the other splits' images, for ``--help``.
    """
    parser.add_argument("data", type=Path, metavar="DATA", help="folder in the Decathlon layout")
    parser.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"JSON: image name to {annotations} (see 'spss budget')",
    )
    parser.add_argument("--train-split-only", action="store_true", help=train_split_only)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1 (default auto)")


def open_set(args: argparse.Namespace) -> tuple[Dataset, Annotations, tuple[Case, ...]]:
    """The data set, what was drawn in it, and the cases that the command may use.

    Raises:
        InputError: the folder or the annotations file is absent or unusable.
    """
    from spss.datasets import open_decathlon, read_annotations, split

    dataset = open_decathlon(args.data)
    annotations = read_annotations(args.annotations, dataset)
    if not args.train_split_only:
        return dataset, annotations, dataset.cases
    taken = set(split(dataset)["train"])
    return dataset, annotations, tuple(case for case in dataset.cases if case.name in taken)
