"""Measure training methods side by side: same data, same planes, same budget of compute.

Every run writes one JSON file; runs whose file is there already are not repeated, so an interrupted
benchmark goes on where it was. Runs go in parallel, one core each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from spss.cli.train import DEFAULT_METHOD
from spss_apps.benchmarks.training_jobs import (
    DEFAULT_ITERATIONS,
    add_study_arguments,
    check_data,
    print_failures,
    run_missing,
)
from spss_apps.benchmarks.training_page import usual_place, write_section
from spss_apps.benchmarks.training_run import Run
from spss_apps.benchmarks.training_table import (
    draw,
    grouped,
    method_label,
    overview,
    paired_difference,
    table,
)
from spss_apps.benchmarks.training_variants import Variant, parse_variant
from spss_apps.benchmarks.variant_run import variant_run

DEFAULT_METHODS = ("masked", "pseudo", "mean_teacher")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py training``."""
    add_study_arguments(parser, "training")
    parser.add_argument("--methods", nargs="*", default=list(DEFAULT_METHODS), metavar="METHOD")
    parser.add_argument(
        "--variants",
        nargs="+",
        default=[],
        metavar="METHOD:NAME:CONSTANT=VALUE,...",
        help="methods with other constants, e.g. spss:no_su:selection=False",
    )
    parser.add_argument(
        "--budgets",
        nargs="+",
        default=["1x20", "full"],
        help="1x20, 1x200, 2x20, full20, full, ...",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--iterations", type=int, help=f"steps per training (default {DEFAULT_ITERATIONS})"
    )
    length.add_argument(
        "--minutes", type=float, help="minutes per training, on a CPU in processor time"
    )


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes table and figure from all files of the folder."""
    check_data(args.data)
    args.folder.mkdir(parents=True, exist_ok=True)
    failed = [] if args.report_only else run_missing(planned_runs(args), args.folder, args.jobs)
    documents = read_documents(args.folder)
    if documents:
        write_section(args.page, report(documents, args.page.parent / "img"))
        for length, runs in by_length(documents).items():
            print(f"{length}:\n{table(runs)}")
    return print_failures(failed)


def planned_runs(args: argparse.Namespace) -> list[Run]:
    """Every method on every budget for every seed; all methods of a seed before the next."""
    chosen = [*map(Variant, args.methods), *map(parse_variant, args.variants)]
    iterations = args.iterations or (None if args.minutes else DEFAULT_ITERATIONS)
    return [
        variant_run(variant, seed, args, budget=budget, iterations=iterations, minutes=args.minutes)
        for seed in args.seeds
        for budget in args.budgets
        for variant in chosen
    ]


def read_documents(folder: Path) -> list[dict[str, Any]]:
    """All finished runs, sorted by set, budget, method and seed."""
    documents = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    return sorted(
        documents,
        key=lambda d: (
            d["run"]["data"],
            d["run"]["budget"],
            method_label(d["run"]),
            d["run"]["seed"],
        ),
    )


def report(documents: Sequence[dict[str, Any]], figures: Path) -> str:
    """The section of the page, a part for each length of training; draws its figures."""
    parts = [
        "Whole test volumes on their own grid; planes, weights and batches differ between seeds. "
        "Seconds are wall-clock of runs that share a machine: compare within one table only. "
        "Minutes are processor time of one core, so that other jobs cost no method its steps."
    ]
    for length, runs in by_length(documents).items():
        parts += [f"### {length}", _commands(runs), overview(runs), table(runs), differences(runs)]
        if len(runs) > 1:  # one bar tells no more than its number
            figure = f"training_{length.replace(' ', '_')}.png"
            draw(runs, figures / figure)
            parts.append(f"![Mean test Dice by method, {length}](img/{figure})")
    return "\n\n".join(part for part in parts if part)


def by_length(documents: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """``600 steps`` or ``5 minutes`` → runs of that length; what differs in it is not compared.

    Steps first, the shortest first.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    ordered = sorted(
        documents,
        key=lambda document: (
            document["run"].get("minutes") or 0,
            document["run"].get("iterations") or 0,
        ),
    )
    for document in ordered:
        run = document["run"]
        minutes = run.get("minutes")
        length = f"{run['iterations']} steps" if minutes is None else f"{minutes:g} minutes"
        groups.setdefault(length, []).append(document)
    return groups


def differences(documents: Sequence[dict[str, Any]]) -> str:
    """The default method, else the best one, minus each other one of its set and budget."""
    groups = grouped(documents)
    lines = []
    for data, budget in dict.fromkeys((data, budget) for data, budget, _ in groups):
        rivals = {m: runs for (d, b, m), runs in groups.items() if (d, b) == (data, budget)}
        ours = DEFAULT_METHOD if DEFAULT_METHOD in rivals else max(rivals, key=_dice_of(rivals))
        for method, runs in rivals.items():
            difference = None if method == ours else paired_difference(rivals[ours], runs)
            if difference is not None:
                lines.append(f"- {data} {budget}: {ours} minus {method} = {difference}")
    return "\n".join(lines)


def _dice_of(rivals: Mapping[str, Sequence[dict[str, Any]]]) -> Callable[[str], float]:
    """Mean Dice of a method over its runs."""
    return lambda method: fmean(r["summary"]["mean"]["dice"]["mean"] or 0 for r in rivals[method])


def _commands(documents: Sequence[dict[str, Any]]) -> str:
    """What to type to get the same runs, a line for each data set and budget."""
    lines: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for run in (document["run"] for document in documents):
        lines.setdefault((run["data"], run["axis"], run["budget"]), []).append(run)
    text = [
        f"python apps/benchmark.py training --data {usual_place(data)} --axis {axis} "
        f"--budgets {budget} {_chosen(runs)}"
        for (data, axis, budget), runs in lines.items()
    ]
    return "\n".join(["```", *text, "```"])


def _chosen(runs: Sequence[dict[str, Any]]) -> str:
    """Methods, variants, seeds and length."""
    plain = sorted({run["method"] for run in runs if not run.get("variant")})
    variants = sorted({_variant(run) for run in runs if run.get("variant")})
    seeds = sorted({run["seed"] for run in runs})
    minutes = runs[0].get("minutes")
    length = (
        f"--iterations {runs[0]['iterations']}" if minutes is None else f"--minutes {minutes:g}"
    )
    methods = " ".join(["--methods", *plain, *(["--variants", *variants] if variants else [])])
    return f"{methods} --seeds {' '.join(map(str, seeds))} {length}"


def _variant(run: dict[str, Any]) -> str:
    """As `parse_variant` reads it."""
    constants = ",".join(f"{name}={value}" for name, value in run["constants"].items())
    return f"{method_label(run)}:{constants}"
