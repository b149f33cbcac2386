"""List every version of every label of a studies folder."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from spss.cli import _studies

if TYPE_CHECKING:
    from spss.annotation import Entry, Ledger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss history``."""
    _studies.add_arguments(parser)
    parser.add_argument("image", nargs="?", metavar="IMAGE", help="id of one image (default: all)")
    parser.add_argument("--json", action="store_true", help="for programs, one object a line")


def run(args: argparse.Namespace) -> int:
    """Prints one line a version, oldest first; ``*`` marks those in force."""
    from spss.annotation import Ledger
    from spss.errors import InputError

    studies = _studies.open_studies(args)
    ledger = Ledger(studies.ledger)
    images = ledger.image_ids()
    if args.image is not None:
        if args.image not in images:
            msg = f"Image {args.image!r} has no label in {studies.ledger}: none was submitted yet."
            raise InputError(msg)
        images = (args.image,)
    for image_id in images:
        print_history(ledger, image_id, as_json=args.json)
    if not images:
        print(f"No label has been submitted yet: {studies.ledger} is empty.")
    return 0


def print_history(ledger: Ledger, image_id: str, *, as_json: bool) -> None:
    """Prints the versions of one image."""
    from spss.annotation.versions import versions

    if not as_json:
        print(image_id)
    for version in versions(ledger.history(image_id)):
        if as_json:
            print(json.dumps({"image": image_id, **version.to_json()}, ensure_ascii=False))
        else:
            mark = "*" if version.in_force else " "
            print(f" {mark} {version.entry.id}  {_in_words(version.entry)}")


def _in_words(entry: Entry) -> str:
    """One version as a line: when, who, what, and by which way it came."""
    who = entry.author or "unknown author"
    if entry.kind == "restore":
        what = f"restored the state after {entry.restores}" if entry.restores else "took all back"
    elif entry.kind == "planes":
        what = ", ".join(f"axis {plane.axis} plane {plane.index}" for plane in entry.planes)
    else:
        what = "single voxels" if entry.kind == "voxels" else "the whole volume"
    return f"{entry.time}  {who}: {what} ({entry.provenance})"
