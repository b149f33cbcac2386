"""Make an earlier version of an image's label the current one; nothing is deleted."""

from __future__ import annotations

import argparse

from spss.cli import _studies

NOTHING = "none"
"""In place of an entry: as before any annotation."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss restore``."""
    _studies.add_arguments(parser)
    parser.add_argument("image", metavar="IMAGE", help="id of the image")
    parser.add_argument(
        "entry",
        metavar="ENTRY",
        help=f"version from 'spss history', or '{NOTHING}' for before any annotation",
    )
    parser.add_argument("--author", default="", help="who asks for it (default: your login name)")


def run(args: argparse.Namespace) -> int:
    """Appends the restore, notes it, and says what holds now."""
    from spss.annotation import Ledger
    from spss.errors import InputError
    from spss.studies.audit import this_user

    studies = _studies.open_studies(args)
    ledger = Ledger(studies.ledger)
    if args.image not in ledger.image_ids():
        msg = f"Image {args.image!r} has no label in {studies.ledger}: see 'spss history'."
        raise InputError(msg)
    wanted = "" if args.entry == NOTHING else args.entry
    entry = ledger.restore(args.image, wanted, author=args.author or this_user())
    _studies.note(studies, "restore", image=args.image, entry=entry.id, restores=wanted)
    standing = ledger.standing(args.image)
    count = len(standing.planes)
    planes = f"{count} plane{'' if count == 1 else 's'}"
    state = "nothing" if standing.is_empty else "the whole volume" if standing.dense else planes
    print(f"{args.image}: annotated now: {state} (version {entry.id}).")
    print("A running server answers by it at once; its label file follows at the next start.")
    return 0
