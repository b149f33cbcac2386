"""Measure every propagator, with and without the end rule, from one plane and from every eighth.

Rows go to a JSON-lines file as they are measured; rows that are there already are not repeated, so
an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss.propagation import PseudoLabel
from spss_apps.benchmarks.propagation_figure import draw_examples, draw_over_distance
from spss_apps.benchmarks.propagation_measure import measure, reliability_samples
from spss_apps.benchmarks.propagation_report import report
from spss_apps.benchmarks.propagation_table import write_section
from spss_apps.benchmarks.propagation_tasks import SETS, Task, tasks

DEFAULT_DATA = Path(os.environ.get("SPSS_DATA", "../shared/data"))

CHEAP = (
    ("copy", "none"),
    ("flow", "none"),
    ("flow", "simple"),
    ("flow", "learned"),
    ("auto", "learned"),
)
COSTLY = (
    ("demons", "none"),
    ("demons", "simple"),
    ("demons", "learned"),
    ("learned", "learned"),
    ("correspondence", "learned"),
    ("ensemble", "learned"),
)
BETWEEN = (("copy", "none"), ("distance", "none"), ("flow", "none"), *CHEAP[2:])
"""Methods measured between every eighth plane."""

COSTLY_BETWEEN = (("demons", "none"), ("correspondence", "none"), ("ensemble", "none"))

EXAMPLE_VOLUMES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py propagation``."""
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the data sets")
    parser.add_argument(
        "--ct",
        type=Path,
        help="tests/reference_files of the unpacked TotalSegmentator 2.18.0 sdist (heart)",
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seed", type=int, default=0, help="chooses the hippocampus's planes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--costly-every",
        type=int,
        default=5,
        metavar="N",
        help="slow propagators on every Nth volume only (default 5); 0 leaves them out",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("benchmark-results/propagation"), help="JSON lines"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument("--report-only", action="store_true", help="only write the page")


def run(args: argparse.Namespace) -> int:
    """Measures what is missing, then writes tables and figures from all rows of the folder."""
    if not args.data.is_dir():
        msg = f"There is no folder {args.data}: give one with --data, or set SPSS_DATA."
        raise InputError(msg)
    args.folder.mkdir(parents=True, exist_ok=True)
    journal = args.folder / f"rows_{args.seed}.jsonl"
    if not args.report_only:
        for set_name in args.sets:
            for kind in ("one", "every8"):
                _measure_set(args, set_name, kind, journal)
    rows = read_rows(journal)
    if not rows:
        msg = f"Nothing has been measured yet in {args.folder}."
        raise InputError(msg)
    draw_over_distance(rows, args.page.parent / "img")
    text = report(rows, _command(args))
    write_section(args.page, text)
    print(text)
    return 0


def read_rows(journal: Path) -> list[dict[str, Any]]:
    """All rows measured so far; a line cut off by an interruption is left out."""
    rows = []
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def _measure_set(args: argparse.Namespace, set_name: str, kind: str, journal: Path) -> None:
    """Measures what the journal does not hold yet, volume by volume."""
    done = {_key(row) for row in read_rows(journal)}
    examples: list[tuple[Task, dict[str, PseudoLabel]]] = []
    for place, task in enumerate(tasks(set_name, args.data, args.ct, args.seed, kind)):
        wanted = [
            method
            for method in _methods(kind, place, args.costly_every)
            if (set_name, task.volume.name, kind, *method) not in done
        ]
        results: dict[str, PseudoLabel] = {}
        for row in _rows(task, wanted, args, results):
            with journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if kind == "one" and {"flow none", "auto learned"} <= set(results):
            examples.append((task, results))
            examples = examples[:EXAMPLE_VOLUMES]
        print(f"{set_name} {kind} {place + 1}: {task.volume.name}", flush=True)
    if examples:
        picture = args.page.parent / "img" / f"propagation_{set_name}_examples.png"
        draw_examples(examples, picture)


def _methods(kind: str, place: int, costly_every: int) -> tuple[tuple[str, str], ...]:
    cheap, costly = (CHEAP, COSTLY) if kind == "one" else (BETWEEN, COSTLY_BETWEEN)
    return cheap + costly if costly_every and place % costly_every == 0 else cheap


def _rows(
    task: Task,
    wanted: list[tuple[str, str]],
    args: argparse.Namespace,
    results: dict[str, PseudoLabel],
) -> Iterator[dict[str, Any]]:
    """Rows of the methods that are missing; keeps what figures and reliability need."""
    for propagator, end_rule in wanted:
        row, result = measure(task, propagator, end_rule, threads=args.threads)
        results[f"{propagator} {end_rule}"] = result
        flow = results.get("flow none")
        if propagator == "auto" and flow is not None and task.kind == "one":
            row["reliability"] = reliability_samples(task, flow.classes, result, args.seed)
        yield row


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["set"], row["volume"], row["kind"], row["propagator"], row["end_rule"])


def _command(args: argparse.Namespace) -> str:
    ct = "" if args.ct is None else " --ct TotalSegmentator-2.18.0/tests/reference_files"
    return f"python apps/benchmark.py propagation --seed {args.seed} --threads {args.threads}{ct}"
