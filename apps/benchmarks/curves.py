"""Dice over training time: every method at a half, one, two and four times the usual steps.

Every point is a training of its own, since schedules run through all their phases in any length.
Runs whose file is there already are not repeated.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from spss_apps.benchmarks.figure_file import save_figure
from spss_apps.benchmarks.training_jobs import (
    DEFAULT_ITERATIONS,
    add_reuse_argument,
    add_study_arguments,
    finished,
    print_failures,
    run_study,
)
from spss_apps.benchmarks.training_page import usual_place, write_section
from spss_apps.benchmarks.training_run import Run
from spss_apps.benchmarks.training_table import interval, over_seeds
from spss_apps.benchmarks.training_variants import Variant, parse_variant
from spss_apps.benchmarks.variant_run import variant_run

FIGURE = "training_curves.png"
LEAST_HEIGHT = 0.1
"""Of the figure, in Dice, so that what trainings of one length differ by does not fill it."""

METHODS = ("masked", "pseudo", "mean_teacher", "pln", "spss_reference", "spss")

Curve = dict[float, list[dict[str, Any]]]
"""Multiple of the usual steps → finished runs."""

Curves = dict[str, Curve]
"""Method with its variant → its curve."""


@dataclass(frozen=True)
class Length:
    """How long a training is at 1x.

    Attributes:
        amount: of ``unit``.
        unit: ``steps`` or ``minutes``.
    """

    amount: float
    unit: str

    @classmethod
    def of(cls, args: argparse.Namespace) -> Length:
        """As asked for; steps unless minutes are given."""
        if args.minutes:
            return cls(args.minutes, "minutes")
        return cls(args.iterations or DEFAULT_ITERATIONS, "steps")

    def times(self, multiple: float) -> dict[str, Any]:
        """``iterations`` and ``minutes`` of a run."""
        if self.unit == "minutes":
            return {"iterations": None, "minutes": multiple * self.amount}
        return {"iterations": max(1, round(multiple * self.amount)), "minutes": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py curves``."""
    add_study_arguments(parser, "curves")
    add_reuse_argument(parser)
    parser.add_argument("--budget", default="1x20")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS), metavar="METHOD[:NAME:CONSTANT=VALUE]"
    )
    parser.add_argument("--multiples", nargs="+", type=float, default=[0.5, 1.0, 2.0, 4.0])
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--iterations", type=int, help=f"steps at 1x (default {DEFAULT_ITERATIONS})"
    )
    length.add_argument("--minutes", type=float, help="at 1x, on a CPU in processor time")


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes table and figure of what there is."""
    variants = [parse_variant(text) for text in args.methods]
    # short trainings first: a curve that is cut off still has its beginning
    runs = [
        _run_of(variant, multiple, seed, args)
        for seed in args.seeds
        for multiple in sorted(args.multiples)
        for variant in variants
    ]
    failed = run_study(runs, args)
    folders = [args.folder, *args.reuse]
    curves: Curves = {}
    for variant in variants:
        for multiple in sorted(args.multiples):
            wanted = [_run_of(variant, multiple, seed, args) for seed in args.seeds]
            if found := finished(wanted, folders):
                curves.setdefault(variant.label, {})[multiple] = found
    if curves:
        length = Length.of(args)
        draw(curves, length, args.page.parent / "img" / FIGURE)
        text = report(curves, length, _command(args))
        write_section(args.page, text, "curves")
        print(text)
    return print_failures(failed)


def report(curves: Curves, length: Length, command: str) -> str:
    """The section of the page."""
    multiples = sorted({multiple for curve in curves.values() for multiple in curve})
    titles = [f"{each:g}x ({each * length.amount:g} {length.unit})" for each in multiples]
    lines = [
        "## Dice over training time",
        "",
        "Mean test Dice ± 95 % over seeds; each entry is a training of its own. The last column is "
        "how far the longest training is below the best of the row, over the seeds that all "
        "lengths of the row share: what a method loses by training on.",
        "",
        f"```\n{command}\n```",
        "",
        f"| method | {' | '.join(titles)} | below its best |",
        "|---|" + "---|" * (len(multiples) + 1),
    ]
    most = max(len(runs) for curve in curves.values() for runs in curve.values())
    for label, curve in curves.items():
        entries = [_entry(curve.get(multiple), most) for multiple in multiples]
        lines.append(f"| {label} | {' | '.join(entries)} | {_number(fall(curve))} |")
    return "\n".join([*lines, "", f"![Dice over training time](img/{FIGURE})"])


def fall(curve: Curve) -> float:
    """Best mean Dice of a curve minus that of its longest training; 0 if that is the best.

    Over the seeds that every length has; NaN if there is none.
    """
    shared = over_shared_seeds(curve)
    if not shared:
        return float("nan")
    means = [fmean(over_seeds(runs, "mean", "dice")) for _, runs in sorted(shared.items())]
    return max(means) - means[-1]


def over_shared_seeds(curve: Curve) -> Curve:
    """The runs of those seeds that every length has; empty if there is none.

    Seeds draw other planes and differ by more than lengths do.
    """
    shared = set.intersection(*({run["run"]["seed"] for run in runs} for runs in curve.values()))
    return {
        multiple: [run for run in runs if run["run"]["seed"] in shared]
        for multiple, runs in curve.items()
        if shared
    }


def draw(curves: Curves, length: Length, path: Path) -> None:
    """One line a seed in its method's colour, length on a logarithmic axis.

    No means: seeds differ by more than lengths do, and not every length has them all.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for colour, (label, curve) in enumerate(curves.items()):
        title: str | None = label
        for seed in sorted({run["run"]["seed"] for runs in curve.values() for run in runs}):
            points = _of_seed(curve, seed)
            axes.plot(
                [multiple * length.amount for multiple in points],
                list(points.values()),
                marker="o",
                color=f"C{colour}",
                label=title,
            )
            title = None  # once a method
    axes.set_xscale("log", base=2)
    ticks = sorted({m * length.amount for curve in curves.values() for m in curve})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"{length.unit} of the training")
    axes.set_ylabel("mean test Dice, a line a seed")
    low, high = axes.get_ylim()
    spare = max(0.0, LEAST_HEIGHT - (high - low)) / 2
    axes.set_ylim(low - spare, high + spare)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    save_figure(figure, path)


def _entry(runs: list[dict[str, Any]] | None, most: int) -> str:
    """Mean and interval; how many seeds, where other entries of the table have more."""
    if not runs:
        return "-"
    mean, half = interval(over_seeds(runs, "mean", "dice"))
    text = f"{mean:.3f}" if np.isnan(half) else f"{mean:.3f} ± {half:.3f}"
    return text if len(runs) == most else f"{text} ({len(runs)} of {most} seeds)"


def _of_seed(curve: Curve, seed: int) -> dict[float, float]:
    """Multiple → mean Dice, the shortest training first."""
    return {
        multiple: over_seeds([run], "mean", "dice")[0]
        for multiple, runs in sorted(curve.items())
        for run in runs
        if run["run"]["seed"] == seed
    }


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _run_of(variant: Variant, multiple: float, seed: int, args: argparse.Namespace) -> Run:
    """A training that is ``multiple`` times as long as usual."""
    return variant_run(variant, seed, args, budget=args.budget, **Length.of(args).times(multiple))


def _command(args: argparse.Namespace) -> str:
    """What reproduces the section."""
    chosen = Length.of(args)
    length = f"--{'minutes' if chosen.unit == 'minutes' else 'iterations'} {chosen.amount:g}"
    return (
        f"python apps/benchmark.py curves --data {usual_place(args.data)} --budget {args.budget} "
        f"--axis {args.axis} --methods {' '.join(args.methods)} "
        f"--multiples {' '.join(f'{m:g}' for m in args.multiples)} "
        f"{length} --seeds {' '.join(map(str, args.seeds))}"
    )
