"""Keep finished runs in the repository, and put them back where the benchmarks look for them.

A table of docs/benchmarks.md takes hours of trainings. With the runs beside it more seeds can be
added, or the page written anew, without repeating the others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss.volumes import replace_atomically
from spss_apps.benchmarks.training_run import Run, code_digest

DIGITS = 4
"""Of every number; Dice is quoted with three."""

DEFAULT_FILE = Path("docs/runs.jsonl")
DEFAULT_FOLDER = Path("benchmark-results")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py kept_runs``."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--save", action="store_true", help="add the folder's runs to the file")
    what.add_argument("--restore", action="store_true", help="write the file's runs to the folder")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="of all studies")
    parser.add_argument("--file", type=Path, default=DEFAULT_FILE)


def run(args: argparse.Namespace) -> int:
    """Saves or restores, and says how many runs are of other code than today's."""
    kept = read_kept(args.file)
    if args.save:
        kept |= finished_runs(args.folder)
        write_kept(kept, args.file)
    else:
        for (study, name), document in kept.items():
            path = args.folder / study / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    today = code_digest()
    other = sum(document.get("code") != today for document in kept.values())
    print(f"{len(kept)} runs, {other} of them of other code than today's.")
    return 0


Kept = dict[tuple[str, str], dict[str, Any]]
"""Study (folder) and name of the run → its document."""


def finished_runs(folder: Path) -> Kept:
    """Documents of trainings in the studies' folders; other files there are left out."""
    found: Kept = {}
    for path in sorted(folder.glob("*/*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and isinstance(document.get("run"), dict):
            found[path.parent.name, Run(**document["run"]).name] = document
    return found


def read_kept(path: Path) -> Kept:
    """All runs of the file; none if there is no file.

    Raises:
        InputError: if a line is not a run.
    """
    kept: Kept = {}
    if not path.is_file():
        return kept
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            kept[entry["study"], Run(**entry["document"]["run"]).name] = entry["document"]
        except (ValueError, KeyError, TypeError) as error:
            msg = f"Line {number} of {path} is not a run ({error}): take the file from git again."
            raise InputError(msg) from error
    return kept


def write_kept(kept: Kept, path: Path) -> None:
    """A line a run, sorted, so that a change shows as the lines that changed."""
    lines = [
        json.dumps({"study": study, "document": _rounded(kept[study, name])}, sort_keys=True)
        for study, name in sorted(kept)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Every float in it, to `DIGITS`."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value
