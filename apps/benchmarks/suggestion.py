"""Does asking pay? Simulated annotation with every strategy, and how quickly the server asks.

Cells (strategy x seed x set) are saved one by one and not repeated, so an interrupted benchmark
goes on where it was. A cell runs on a small copy of the set, with short trainings.
Strategies that drew the same planes share a network.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss.suggestion import list_strategies
from spss_apps.benchmarks.suggestion_cell import (
    BEST_LABEL,
    BEST_OUTCOME,
    SANITY,
    Cell,
    run_budget,
    run_cell,
)
from spss_apps.benchmarks.suggestion_page import write_page

SHARED = Path(os.environ.get("SPSS_DATA", "../shared/data"))
DEFAULT_DATA = [SHARED / "Task04_Hippocampus"]
DEFAULT_STRATEGIES = (*list_strategies(), *SANITY, BEST_LABEL, BEST_OUTCOME)
CALIBRATION = ("1x20", "full")
"""Budgets that the short training must tell apart, or it could not tell strategies apart either."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py suggestion``."""
    parser.add_argument("--data", type=Path, nargs="+", default=DEFAULT_DATA, metavar="FOLDER")
    parser.add_argument(
        "--strategies", nargs="+", default=list(DEFAULT_STRATEGIES), metavar="STRATEGY"
    )
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--planes", type=int, default=20, help="drawn at the end (default 20)")
    parser.add_argument("--per-round", type=int, default=5)
    parser.add_argument("--axis", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--iterations", type=int, default=300, help="steps of each training")
    parser.add_argument("--method", default="pseudo")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cells at a time")
    parser.add_argument(
        "--calibrate", action="store_true", help="also train on 1x20 and full with these steps"
    )
    parser.add_argument(
        "--latency", nargs="*", type=int, default=[], metavar="VOLUMES", help="such as 1000 10000"
    )
    parser.add_argument(
        "--models",
        nargs="*",
        type=Path,
        default=[],
        metavar="DIR",
        help="trained on the first --data: how well their plane scores see errors on test volumes",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("benchmark-results/suggestion"), help="JSON files"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument(
        "--report-only", action="store_true", help="only write the page from the files there are"
    )


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes the page from all files of the folder."""
    for data in args.data:
        if not data.is_dir():
            msg = f"There is no data set {data}: give one with --data, or set SPSS_DATA."
            raise InputError(msg)
    unknown = sorted(set(args.strategies) - set(DEFAULT_STRATEGIES))
    if unknown:
        msg = f"Unknown strategy '{unknown[0]}': use {', '.join(DEFAULT_STRATEGIES)}."
        raise InputError(msg)
    args.folder.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    if not args.report_only:
        failed = _run_cells(planned_cells(args), args.folder, args.jobs)
        if args.calibrate:
            _calibrate(args)
        _measure_sight(args.data[0], args.models, args.folder)
        _measure_latency(args.latency, args.folder)
    write_page(args.page, args.folder)
    for reason in failed:
        print(f"Failed: {reason}", file=sys.stderr)
    return 1 if failed else 0


def planned_cells(args: argparse.Namespace) -> list[Cell]:
    """Every strategy on every set for every seed; all strategies of a seed before the next."""
    return [
        Cell(
            data=str(data),
            strategy=strategy,
            seed=seed,
            planes=args.planes,
            per_round=args.per_round,
            axis=args.axis,
            iterations=args.iterations,
            method=args.method,
        )
        for seed in args.seeds
        for data in args.data
        for strategy in args.strategies
    ]


def _run_cells(cells: Sequence[Cell], folder: Path, jobs: int) -> list[str]:
    """Says which cells failed and why; the others are kept."""
    from tqdm import tqdm

    missing = [cell for cell in cells if not (folder / f"{cell.name}.json").is_file()]
    done = len(cells) - len(missing)
    failed = []
    with tqdm(total=len(cells), initial=done, unit="cell", disable=not cells) as bar:
        if jobs <= 1:
            for cell in missing:
                failed += _run_one(cell, folder)
                bar.update()
            return failed
        context = multiprocessing.get_context("spawn")  # a fork of a process with torch hangs
        with ProcessPoolExecutor(jobs, context, initializer=_one_core) as pool:
            futures = [pool.submit(_run_one, cell, folder) for cell in missing]
            for future in as_completed(futures):
                failed += future.result()
                bar.update()
    return failed


def _run_one(cell: Cell, folder: Path) -> list[str]:
    """One cell; what went wrong is returned and told at the end."""
    try:
        run_cell(cell, folder)
    except Exception as error:  # one cell must not end hours of others
        return [f"{cell.name}: {type(error).__name__}: {error}"]
    return []


def _one_core() -> None:
    import torch

    torch.set_num_threads(1)


def _calibrate(args: argparse.Namespace) -> None:
    """Test Dice of whole budgets with the cells' training, a file a set and seed."""
    for cell in planned_cells(argparse.Namespace(**{**vars(args), "strategies": ["calibration"]})):
        path = args.folder / "calibration" / f"{cell.name}.json"
        if path.is_file():
            continue
        dice = {budget: run_budget(cell, budget, args.folder) for budget in CALIBRATION}
        _write(path, {"cell": asdict(cell), "dice": dice})


def _measure_sight(data: Path, models: Sequence[Path], folder: Path) -> None:
    """Scores of planes beside their true errors, for each model once."""
    from spss_apps.benchmarks.suggestion_sight import SIGHT_VOLUMES, model_notes

    for model in models:
        path = folder / "sight" / f"{data.name}-{model.name}.json"
        if not path.is_file():
            _write(path, model_notes(data, model, volumes=SIGHT_VOLUMES))


def _measure_latency(volumes: Sequence[int], folder: Path) -> None:
    from spss_apps.benchmarks.suggestion_latency import measure_latency

    for count in volumes:
        _write(folder / "latency" / f"{count:06d}.json", asdict(measure_latency(count)))


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
