"""Step time and peak memory over patch size and number of classes, each point its own process."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spss.volumes import replace_atomically
from spss_apps.benchmarks.figure_file import save_figure
from spss_apps.benchmarks.step_probe import Probe, load_in_words, measure_alone
from spss_apps.benchmarks.training_jobs import DEFAULT_PAGE
from spss_apps.benchmarks.training_page import write_section

FIGURE = "scaling.png"
FIXED_CLASSES = 2
FIXED_EDGE = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py scaling``."""
    parser.add_argument("--method", default="spss")
    parser.add_argument("--edges", nargs="+", type=int, default=[32, 48, 64, 80, 96])
    parser.add_argument("--classes", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--batch", nargs=2, type=int, default=[1, 1], help="labelled, unlabelled")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)


def run(args: argparse.Namespace) -> int:
    """Measures, keeps the numbers as JSON, and writes figure and page."""
    from tqdm import tqdm

    points = planned_points(args)
    load = load_in_words()
    measured = [
        {**asdict(probe), **measure_alone(probe, args.steps)}
        for probe in tqdm(points, unit="point")
    ]
    args.folder.mkdir(parents=True, exist_ok=True)
    with replace_atomically(args.folder / "scaling.json") as unfinished:
        unfinished.write_text(
            json.dumps({"load": load, "points": measured}, indent=1), encoding="utf-8"
        )
    draw(measured, args.page.parent / "img" / FIGURE)
    text = report(measured, load, _command(args))
    write_section(args.page, text, "scaling")
    print(text)
    return 0


def planned_points(args: argparse.Namespace) -> list[Probe]:
    """Patches of all sizes with two classes, then all numbers of classes at one size."""
    pairs = [(edge, FIXED_CLASSES) for edge in args.edges]
    pairs += [(FIXED_EDGE, classes) for classes in args.classes]
    labelled, unlabelled = args.batch
    return [
        Probe(
            method=args.method,
            patch=(edge, edge, edge),
            labelled=labelled,
            unlabelled=unlabelled,
            classes=classes,
            embedding=32,
        )
        for edge, classes in dict.fromkeys(pairs)
    ]


def report(points: list[dict[str, Any]], load: str, command: str) -> str:
    """The section of the page."""
    lines = [
        "## A step over patch size and classes",
        "",
        f"`{points[0]['method']}`, {points[0]['labelled']} labelled and "
        f"{points[0]['unlabelled']} unlabelled patch in float32, one thread, each point a process "
        f"of its own ({load} at the start); median CPU seconds, and what the steps add to the "
        "peak memory of the process.",
        "",
        f"```\n{command}\n```",
        "",
        "| patch | classes | CPU s per step | µs per voxel | added memory GB | bytes per voxel |",
        "|---|---|---|---|---|---|",
    ]
    for point in points:
        voxels = point["patch"][0] ** 3 * (point["labelled"] + point["unlabelled"])
        lines.append(
            f"| {point['patch'][0]}³ | {point['classes']} | {point['seconds']:.2f} "
            f"| {1e6 * point['seconds'] / voxels:.2f} | {point['step_gb']:.2f} "
            f"| {1e9 * point['step_gb'] / voxels:.0f} |"
        )
    return "\n".join([*lines, "", f"![Step time and memory](img/{FIGURE})"])


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Two panels: over the patch's voxels and over classes; time on the left axis of each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    by_size = [point for point in points if point["classes"] == FIXED_CLASSES]
    by_class = [point for point in points if point["patch"][0] == FIXED_EDGE]
    _panel(panels[0], by_size, [p["patch"][0] ** 3 for p in by_size], "voxels of a patch")
    _panel(panels[1], by_class, [p["classes"] for p in by_class], f"classes, patch {FIXED_EDGE}³")
    edges = [point["patch"][0] for point in by_size]
    panels[0].set_xticks([edge**3 for edge in edges], [f"{edge}³" for edge in edges])
    save_figure(figure, path)


def _panel(axes: Any, points: list[dict[str, Any]], x: list[int], name: str) -> None:
    """Time on the left axis, memory on the right."""
    axes.plot(x, [point["seconds"] for point in points], "o-", color="C0")
    axes.set_xlabel(name)
    axes.set_ylabel("CPU seconds per step", color="C0")
    axes.set_ylim(bottom=0)
    memory = axes.twinx()
    memory.plot(x, [point["step_gb"] for point in points], "s--", color="C1")
    memory.set_ylabel("added memory, GB", color="C1")
    memory.set_ylim(bottom=0)


def _command(args: argparse.Namespace) -> str:
    """What reproduces the section."""
    return (
        f"python apps/benchmark.py scaling --method {args.method} "
        f"--edges {' '.join(map(str, args.edges))} --classes {' '.join(map(str, args.classes))} "
        f"--batch {' '.join(map(str, args.batch))} --steps {args.steps}"
    )
