"""Trainings that a benchmark needs: which are missing, and running those side by side."""

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

DEFAULT_DATA = Path(os.environ.get("SPSS_DATA", "../shared/data")) / "Task04_Hippocampus"
DEFAULT_ITERATIONS = 600
TRAINING = "spss_apps.benchmarks.training_run"
DEFAULT_PAGE = Path("docs/benchmarks.md")


def add_study_arguments(parser: argparse.ArgumentParser, folder: str) -> None:
    """Options that all studies made of trainings share.

    Args:
        parser: takes the options.
        folder: of ``benchmark-results`` where JSON files and models go by default.
    """
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="Decathlon folder")
    parser.add_argument("--axis", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("benchmark-results") / folder,
        help="JSON files, models",
    )
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)
    parser.add_argument(
        "--report-only", action="store_true", help="only write the page from the files there are"
    )


def add_reuse_argument(parser: argparse.ArgumentParser) -> None:
    """For studies whose runs another study may have finished already."""
    parser.add_argument(
        "--reuse",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="take finished runs from there; their code must have been today's",
    )


def check_data(data: Path) -> None:
    """Raises InputError if there is no such folder."""
    if not data.is_dir():
        msg = f"There is no data set {data}: give one with --data, or set SPSS_DATA."
        raise InputError(msg)


def run_study(
    runs: Sequence[Run], args: argparse.Namespace, module: str = TRAINING
) -> list[tuple[str, str]]:
    """Runs what is in none of the study's folders, unless only a report is wanted.

    Args:
        runs: in the order in which they shall start.
        args: options of `add_study_arguments`.
        module: that makes a run's document, see `spss_apps.benchmarks.training_run`.

    Returns:
        Name and reason of each run that failed.
    """
    check_data(args.data)
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.report_only:
        return []
    reuse = getattr(args, "reuse", [])
    return run_missing(runs, args.folder, args.jobs, reuse=reuse, module=module)


def finished(runs: Sequence[Run], folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Documents of those runs that one of the folders holds, in the order of the runs."""
    found = (_find(run, folders) for run in runs)
    return [json.loads(path.read_text(encoding="utf-8")) for path in found if path]


def run_missing(
    runs: Sequence[Run],
    folder: Path,
    jobs: int,
    *,
    reuse: Sequence[Path] = (),
    module: str = TRAINING,
) -> list[tuple[str, str]]:
    """Runs what is neither in ``folder`` nor in ``reuse``; returns what failed, and why."""
    from tqdm import tqdm

    missing = [run for run in runs if _find(run, [folder, *reuse]) is None]
    failed = []
    with (
        ThreadPoolExecutor(max(1, jobs)) as pool,
        tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run") as bar,
    ):
        futures = {pool.submit(_run_one, run, folder, module): run for run in missing}
        for future in as_completed(futures):
            reason = future.result()
            bar.update()
            if reason:
                failed.append((futures[future].name, reason))
    return failed


def print_failures(failed: Sequence[tuple[str, str]]) -> int:
    """Names what failed; returns the exit status."""
    for name, reason in failed:
        print(f"Failed: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _find(run: Run, folders: Sequence[Path]) -> Path | None:
    paths = (folder / f"{run.name}.json" for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _run_one(run: Run, folder: Path, module: str) -> str:
    """Runs one training in its own process on one core; returns why it failed, or nothing."""
    command = [
        sys.executable,
        "-m",
        module,
        json.dumps(asdict(run)),
        str(folder),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    (folder / f"{run.name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return (done.stderr.strip().splitlines() or ["no message"])[-1]
