"""Measure training methods side by side: same data, same planes, same budget of compute.

Every run writes one JSON file; runs whose file is there already are not repeated, so an interrupted
benchmark goes on where it was. Runs go in parallel, one core each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss_apps.benchmarks.training_run import Run
from spss_apps.benchmarks.training_table import (
    FIGURE,
    draw,
    grouped,
    paired_difference,
    table,
    write_section,
)

DEFAULT_DATA = Path(os.environ.get("SPSS_DATA", "../shared/data")) / "Task04_Hippocampus"
DEFAULT_METHODS = ("masked", "pseudo", "mean_teacher")
DEFAULT_ITERATIONS = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py training``."""
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="Decathlon folder")
    parser.add_argument("--methods", nargs="+", default=list(DEFAULT_METHODS), metavar="METHOD")
    parser.add_argument(
        "--budgets",
        nargs="+",
        default=["1x20", "full"],
        help="1x20, 1x200, 2x20, full20, full, ...",
    )
    parser.add_argument("--axis", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--iterations", type=int, help=f"steps per training (default {DEFAULT_ITERATIONS})"
    )
    length.add_argument("--minutes", type=float, help="minutes per training")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument(
        "--folder", type=Path, default=Path("benchmark-results/training"), help="JSON files, models"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument(
        "--report-only", action="store_true", help="only write the page from the files there are"
    )


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes table and figure from all files of the folder."""
    if not args.data.is_dir():
        msg = f"There is no data set {args.data}: give one with --data, or set SPSS_DATA."
        raise InputError(msg)
    args.folder.mkdir(parents=True, exist_ok=True)
    failed = [] if args.report_only else _run_missing(planned_runs(args), args.folder, args.jobs)
    documents = read_documents(args.folder)
    if documents:
        draw(documents, args.page.parent / "img" / FIGURE)
        write_section(args.page, report(documents, _command(args)))
        print(table(documents))
    for name, reason in failed:
        print(f"Failed: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def planned_runs(args: argparse.Namespace) -> list[Run]:
    """Every method on every budget for every seed; all methods of a seed before the next."""
    iterations = args.iterations or (None if args.minutes else DEFAULT_ITERATIONS)
    return [
        Run(
            data=str(args.data),
            budget=budget,
            axis=args.axis,
            method=method,
            seed=seed,
            iterations=iterations,
            minutes=args.minutes,
            device=args.device,
        )
        for seed in args.seeds
        for budget in args.budgets
        for method in args.methods
    ]


def read_documents(folder: Path) -> list[dict[str, Any]]:
    """All finished runs, sorted by set, budget, method and seed."""
    documents = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    return sorted(
        documents,
        key=lambda d: (d["run"]["data"], d["run"]["budget"], d["run"]["method"], d["run"]["seed"]),
    )


def report(documents: Sequence[dict[str, Any]], command: str) -> str:
    """The section of the page."""
    lines = [
        "Whole test volumes on their own grid; planes, weights and batches differ between seeds. "
        "Seconds are wall-clock of runs that share a machine: compare within this table only.",
        "",
        f"```\n{command}\n```",
        "",
        table(documents),
        "",
        *_differences(documents),
        f"![Mean test Dice by method](img/{FIGURE})",
    ]
    return "\n".join(lines)


def _differences(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Paired differences of each method to the best one of its set and budget."""
    groups = grouped(documents)
    lines = []
    for data, budget in dict.fromkeys((data, budget) for data, budget, _ in groups):
        rivals = {m: runs for (d, b, m), runs in groups.items() if (d, b) == (data, budget)}
        if len(rivals) < 2:
            continue
        best = max(
            rivals,
            key=lambda m: (
                sum(r["summary"]["mean"]["dice"]["mean"] or 0 for r in rivals[m]) / len(rivals[m])
            ),
        )
        for method, runs in rivals.items():
            difference = None if method == best else paired_difference(rivals[best], runs)
            if difference is not None:
                lines.append(
                    f"- {data} {budget}: {best} minus {method} = {difference[0]:+.3f} "
                    f"± {difference[1]:.3f} (paired)"
                )
    return [*lines, ""] if lines else []


def _run_missing(runs: list[Run], folder: Path, jobs: int) -> list[tuple[str, str]]:
    from tqdm import tqdm

    missing = [run for run in runs if not (folder / f"{run.name}.json").is_file()]
    failed = []
    with (
        ThreadPoolExecutor(max(1, jobs)) as pool,
        tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run") as bar,
    ):
        futures = {pool.submit(_run_one, run, folder): run for run in missing}
        for future in as_completed(futures):
            reason = future.result()
            bar.update()
            if reason:
                failed.append((futures[future].name, reason))
    return failed


def _run_one(run: Run, folder: Path) -> str:
    """Runs one training in its own process on one core; returns why it failed, or nothing."""
    command = [
        sys.executable,
        "-m",
        "spss_apps.benchmarks.training_run",
        json.dumps(asdict(run)),
        str(folder),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    (folder / f"{run.name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return (done.stderr.strip().splitlines() or ["no message"])[-1]


def _command(args: argparse.Namespace) -> str:
    parts = ["python apps/benchmark.py training", f"--data {args.data}"]
    parts += [f"--methods {' '.join(args.methods)}", f"--budgets {' '.join(args.budgets)}"]
    parts += [f"--axis {args.axis}", f"--seeds {' '.join(map(str, args.seeds))}"]
    if args.minutes:
        parts.append(f"--minutes {args.minutes:g}")
    else:
        parts.append(f"--iterations {args.iterations or DEFAULT_ITERATIONS}")
    return " ".join(parts)
