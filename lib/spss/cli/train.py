"""Train a network on volumes of which only a few planes, or none, were annotated."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from spss.cli import _annotated_set

DEFAULT_METHOD = "spss"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss train``."""
    _annotated_set.add_arguments(
        parser,
        annotations="planes or 'dense'; only these are ever read",
        train_split_only="leave out images of the benchmark's validation and test split, even as "
        "unlabelled",
    )
    parser.add_argument(
        "--method", default=DEFAULT_METHOD, help=f"training method (default {DEFAULT_METHOD})"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        dest="constants",
        metavar="NAME=VALUE",
        help="constants of the method that differ from their defaults; an unknown name lists them",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--iterations", type=int, metavar="N", help="steps (default 600)")
    length.add_argument("--minutes", type=float, metavar="M", help="training time instead of steps")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
    parser.add_argument("--resume", action="store_true", help="go on from DIR's checkpoint")
    parser.add_argument("--memory-gb", type=float, help="what to plan for (default: half the free)")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="prepared volumes, to share between trainings"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Trains and says where the model is."""
    from tqdm import tqdm

    from spss.datasets import load_label_of
    from spss.methods.constants import make_config, read_constants
    from spss.training import TrainingCase, train

    constants = read_constants(args.method, args.constants)
    dataset, annotations, taken = _annotated_set.open_set(args)
    load = partial(load_label_of, annotations=annotations, class_count=len(dataset.class_names))
    result = train(
        [TrainingCase(case.name, case.image, load(case)) for case in taken],
        dataset.class_names,
        out=args.out,
        method=args.method,
        method_config=make_config(args.method, constants),
        iterations=args.iterations,
        minutes=args.minutes,
        seed=args.seed,
        device=args.device,
        resume=args.resume,
        memory_gb=args.memory_gb,
        cache=args.cache,
        show_progress=not args.quiet,
        say=tqdm.write,
    )
    print(f"{result.folder}: {result.iterations} iterations in {result.seconds:.0f} s of training.")
    return 0
