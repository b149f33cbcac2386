"""Read a Decathlon or nnU-Net v2 data set into a studies folder: images it lacks, every label."""

from __future__ import annotations

import argparse
from pathlib import Path

from spss.cli import _studies


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss import``."""
    _studies.add_arguments(parser)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with dataset.json")
    parser.add_argument(
        "--author",
        default="",
        help="of labels whose author the data set does not tell (one of 'spss export' does)",
    )


def run(args: argparse.Namespace) -> int:
    """Imports, says what was new, and notes each image in the audit log."""
    from tqdm import tqdm

    from spss.annotation import Ledger
    from spss.errors import InputError
    from spss.studies import import_dataset

    studies = _studies.open_studies(args)
    if studies.is_dicomweb:
        msg = "Images of a DICOMweb server are not imported here: give a studies folder."
        raise InputError(msg)
    with tqdm(desc="Importing", unit="image", disable=None, leave=False) as bar:
        done = import_dataset(studies, args.data, author=args.author, on_image=bar.update)
    ledger = Ledger(studies.ledger)
    for image_id, count in done.entries.items():
        newest = ledger.history(image_id)[-1]
        _studies.note(
            studies,
            "import",
            image=image_id,
            sha256=newest.label_sha256,
            entries=count,
            entry=newest.id,
            source=str(args.data.resolve()),
        )
    print(
        f"{args.studies}: {len(done.images)} new images; {sum(done.entries.values())} new versions "
        f"of labels on {len(done.entries)} images, {done.known} were there already."
    )
    if done.read:
        print(f"{len(done.read)} label maps were read that no export of ours wrote.")
    _studies.print_left_out(done.left_out)
    return 0
