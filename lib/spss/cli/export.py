"""Write the images and labels of a studies folder as a Decathlon or nnU-Net v2 data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from spss.cli import _studies


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss export``."""
    _studies.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument(
        "--format",
        choices=("decathlon", "nnunet"),
        default="decathlon",
        help="nnunet marks undecided voxels by its label 'ignore'; decathlon comes with the "
        "annotations.json that 'spss train' reads (default decathlon)",
    )
    parser.add_argument("--labels", metavar="A,B", help="classes and their order (default: ledger)")
    parser.add_argument(
        "--channel",
        default="image",
        metavar="NAME",
        help="modality in dataset.json; nnU-Net treats CT differently (default image)",
    )
    parser.add_argument(
        "--only-annotated", action="store_true", help="leave images without any annotation out"
    )
    parser.add_argument(
        "--without-history",
        action="store_true",
        help="only what holds now: no earlier versions, authors and times",
    )


def run(args: argparse.Namespace) -> int:
    """Exports, says what was written, and notes it in the audit log."""
    from tqdm import tqdm

    from spss.annotation import BACKGROUND
    from spss.studies import export_studies

    studies = _studies.open_studies(args)
    listed = [name.strip() for name in (args.labels or "").split(",") if name.strip()]
    with tqdm(desc="Exporting", unit="image", disable=None, leave=False) as bar:
        done = export_studies(
            studies,
            args.out,
            args.format,
            class_names=(BACKGROUND, *listed) if listed else (),
            channel=args.channel,
            only_annotated=args.only_annotated,
            history=not args.without_history,
            on_image=bar.update,
        )
    _studies.note(
        studies,
        "export",
        images=len(done.images),
        entries=done.entries,
        layout=args.format,
        to=str(args.out.resolve()),
    )
    labelled = sum(done.images.values())
    print(f"{args.out}: {len(done.images)} images, {labelled} with a label: {args.format}.")
    if not args.without_history:
        print(f"{done.entries} versions of labels are in the folder 'ledger'.")
    if done.partly:
        print(
            f"{len(done.partly)} images hold single voxels beside planes; annotations.json names "
            "planes only, so 'spss train' leaves those voxels out."
        )
    _studies.print_left_out(done.left_out)
    return 0
