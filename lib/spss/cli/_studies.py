"""What the commands on a studies folder share: its options, and the note in its audit log."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spss.studies import Studies


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the studies folder and where a server was told to write."""
    parser.add_argument(
        "studies", metavar="STUDIES", help="folder or DICOMweb address, as the server's --studies"
    )
    parser.add_argument(
        "--layout",
        choices=("auto", "flat", "decathlon"),
        default="auto",
        help="as the server's --conf layout",
    )
    parser.add_argument(
        "--workspace", type=Path, metavar="DIR", help="as the server's --conf workspace"
    )
    parser.add_argument("--ledger", type=Path, metavar="DIR", help="as the server's --conf ledger")


def open_studies(args: argparse.Namespace) -> Studies:
    """The folders.

    Raises:
        InputError: the studies folder does not exist.
    """
    from spss.errors import InputError
    from spss.studies import find_folders

    remote = args.studies.startswith(("http://", "https://"))
    if not remote and not Path(args.studies).expanduser().is_dir():
        msg = f"There is no folder {args.studies}: give the one that the server's --studies names."
        raise InputError(msg)
    workspace, ledger = (
        None if path is None else path.expanduser().resolve()
        for path in (args.workspace, args.ledger)
    )
    return find_folders(args.studies, layout=args.layout, workspace=workspace, ledger=ledger)


def note(studies: Studies, action: str, **facts: Any) -> None:
    """Writes the audit log's line; where it cannot be written, says so and goes on."""
    from spss.studies import AuditLog
    from spss.studies.audit import this_user

    try:
        AuditLog(studies.audit_file).write(action, who=this_user(), by="command line", **facts)
    except OSError as error:
        print(f"The audit log could not be written ({error.strerror}).", file=sys.stderr)


def print_left_out(left_out: Mapping[str, str]) -> None:
    """Names what was not taken, on stderr."""
    for name, reason in left_out.items():
        print(f"Left out: {name}: {reason.rstrip('.')}.", file=sys.stderr)
