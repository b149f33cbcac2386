"""Does SU select well? What it takes from unlabelled volumes over a training, against their truth.

Class-wise selection (ours) against class-blind, on the same teacher at the same moments. Runs whose
file is there already are not repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spss_apps.benchmarks.figure_file import save_figure
from spss_apps.benchmarks.training_jobs import (
    DEFAULT_ITERATIONS,
    add_study_arguments,
    finished,
    print_failures,
    run_study,
)
from spss_apps.benchmarks.training_page import write_section
from spss_apps.benchmarks.training_run import Run

FIGURE = "selection.png"
MODULE = "spss_apps.benchmarks.selection_run"

Counts = dict[str, int]

NUMBERS: dict[str, Callable[[Counts, Counts], float]] = {
    "share selected": lambda some, everything: some["selected"] / everything["selected"],
    "precision": lambda some, everything: some["right"] / some["selected"],
    "foreground among them": lambda some, everything: some["foreground"] / some["selected"],
    "of all foreground": lambda some, everything: some["foreground"] / everything["foreground"],
    "foreground that is right": lambda some, everything: (
        some["foreground_right"] / some["foreground"]
    ),
}
"""Of a rule's counts and those of all voxels."""

DRAWN = ("precision", "foreground among them", "foreground that is right")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py selection``."""
    add_study_arguments(parser, "selection")
    parser.add_argument("--budget", default="1x20")
    parser.add_argument("--iterations", type=int, default=DEFAULT_ITERATIONS)


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes table and figure of what there is."""
    runs = [
        Run(
            data=str(args.data),
            budget=args.budget,
            axis=args.axis,
            method="spss",
            seed=seed,
            iterations=args.iterations,
            device="cpu",
        )
        for seed in args.seeds
    ]
    failed = run_study(runs, args, MODULE)
    documents = finished(runs, [args.folder])
    if documents:
        draw(documents, args.page.parent / "img" / FIGURE)
        text = report(documents, _command(args))
        write_section(args.page, text, "selection")
        print(text)
    return print_failures(failed)


def series(
    documents: Sequence[dict[str, Any]], rule: str, number: str
) -> tuple[list[float], list[float]]:
    """Shares of the training, and a number's mean over seeds at each; NaN where it has none."""
    per_seed = [
        [_ratio(number, look["rules"][rule], look["rules"]["all voxels"]) for look in one["looks"]]
        for one in documents
    ]
    fractions = [look["fraction"] for look in documents[0]["looks"]]
    return fractions, np.mean(per_seed, axis=0).tolist()


def report(documents: Sequence[dict[str, Any]], command: str) -> str:
    """The section of the page: every rule at the middle and at the last look but one."""
    looks = documents[0]["looks"]
    shown = sorted({len(looks) // 2, max(len(looks) - 2, 0)})
    volumes = len(documents[0]["volumes"])
    lines = [
        "## What SU selects",
        "",
        f"{volumes} unlabelled training volumes a seed ({len(documents)} seeds), whole patches, "
        "with the teacher of that moment; the truth of these volumes is read by this measurement "
        "only. Precision: share of the selected voxels whose predicted class is right. "
        "`class-blind` ranks all voxels of a batch together at our rate; `published` takes that "
        "rate of one volume from the whole batch, as the released code.",
        "",
        f"```\n{command}\n```",
        "",
        f"| training done | rule | {' | '.join(NUMBERS)} |",
        "|---|---|" + "---|" * len(NUMBERS),
    ]
    for place in shown:
        for rule in looks[place]["rules"]:
            values = [series(documents, rule, number)[1][place] for number in NUMBERS]
            numbers = " | ".join("-" if np.isnan(value) else f"{value:.3f}" for value in values)
            lines.append(f"| {looks[place]['fraction']:.0%} | {rule} | {numbers} |")
    return "\n".join([*lines, "", f"![What SU selects](img/{FIGURE})"])


def draw(documents: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel for each number that matters, a line for each rule."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(DRAWN), 3.4), layout="constrained")
    panels = figure.subplots(1, len(DRAWN))
    for axes, number in zip(panels, DRAWN, strict=True):
        for rule in documents[0]["looks"][0]["rules"]:
            fractions, values = series(documents, rule, number)
            style = "--" if rule == "all voxels" else "-"
            axes.plot(fractions, values, style, marker=".", label=rule)
        axes.set_title(number, fontsize="medium")
        axes.set_xlabel("share of the training done")
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize="small")
    save_figure(figure, path)


def _ratio(number: str, some: Counts, everything: Counts) -> float:
    try:
        return NUMBERS[number](some, everything)
    except ZeroDivisionError:
        return float("nan")


def _command(args: argparse.Namespace) -> str:
    """What reproduces the section."""
    return (
        f"python apps/benchmark.py selection --data {args.data} --budget {args.budget} "
        f"--axis {args.axis} --iterations {args.iterations} "
        f"--seeds {' '.join(map(str, args.seeds))}"
    )
