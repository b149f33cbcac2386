"""The suggestion benchmark's section of the page, from whatever files there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spss_apps.benchmarks.suggestion_error import sight_table
from spss_apps.benchmarks.suggestion_figure import draw_curves
from spss_apps.benchmarks.suggestion_latency import Latency, latency_table
from spss_apps.benchmarks.suggestion_table import (
    Curves,
    Document,
    budget_table,
    by_set,
    curve_table,
    win_matrix,
)
from spss_apps.benchmarks.training_page import usual_place, write_section

FIGURE = "suggestion.png"
CELL_OPTIONS = ("axis", "planes", "per-round", "iterations", "method")
NOTES = Path(__file__).with_name("suggestion_notes.md")
"""Findings in words, put at the section's end."""


def write_page(page: Path, folder: Path) -> None:
    """Puts tables, figure and notes between the markers ``suggestion``."""
    parts = ["## Suggestion"]
    sets = by_set(_read(folder, "*.json"))
    if sets:
        draw_curves(sets, page.parent / "img" / FIGURE)
        for name, curves in sets.items():
            parts += [f"### {name}", _command(curves), _recipe(curves)]
            parts += [curve_table(curves), budget_table(curves), win_matrix(curves)]
        parts.append(f"![Learning curves by strategy](img/{FIGURE})")
    networks = {name: sorted((folder / "rounds" / name).glob("*/notes.json")) for name in sets}
    rounds = sight_table(networks, _axes(sets))
    models = sight_table(_by_set_name(sorted((folder / "sight").glob("*.json"))))
    if rounds or models:
        parts += ["### Does the score see error?"]
    if rounds:
        parts += ["The rounds' networks, training volumes of the small sets:", rounds]
    if models:
        parts += ["Trained models, test volumes at full resolution:", models]
    calibration = _read(folder / "calibration", "*.json")
    if calibration:
        parts += ["### Does the short training tell budgets apart?", _calibration(calibration)]
    latency = [Latency(**each) for each in _read(folder / "latency", "*.json")]
    if latency:
        volumes = " ".join(str(each.volumes) for each in latency)
        again = f"```\npython apps/benchmark.py suggestion --seeds --latency {volumes}\n```"
        parts += ["### How long the server takes to ask", again, latency_table(latency)]
    if NOTES.is_file():
        parts.append(NOTES.read_text(encoding="utf-8").strip())
    write_section(page, "\n\n".join(parts), name="suggestion")


def _command(curves: Curves) -> str:
    """What to type to get the same cells."""
    cell = _first(curves)["cell"]
    options = {key: cell[key.replace("-", "_")] for key in CELL_OPTIONS}
    chosen = " ".join(f"--{key} {value}" for key, value in options.items())
    seeds = sorted({seed for cells in curves.values() for seed in cells})
    return "\n".join(
        [
            "```",
            f"python apps/benchmark.py suggestion --data {usual_place(cell['data'])} {chosen} "
            f"--strategies {' '.join(curves)} --seeds {' '.join(map(str, seeds))}",
            "```",
        ]
    )


def _recipe(curves: Curves) -> str:
    """What all cells of a set share."""
    document = _first(curves)
    cell = document["cell"]
    return (
        f"Planes along axis {cell['axis']}, drawn in rounds of {cell['per_round']} up to "
        f"{cell['planes']}; after each a network is trained anew (`{cell['method']}`, "
        f"{cell['iterations']} steps) and tested on {document['test_cases']} volumes of the small "
        "set. The first round is the same for all strategies."
    )


def _axes(sets: dict[str, Curves]) -> dict[str, tuple[int]]:
    """Along which axis each set's planes were drawn."""
    return {name: (int(_first(curves)["cell"]["axis"]),) for name, curves in sets.items()}


def _first(curves: Curves) -> Document:
    return next(cell for seeds in curves.values() for cell in seeds.values())


def _calibration(documents: list[dict[str, Any]]) -> str:
    """Dice of the budgets that the rounds are compared with."""
    lines = ["| set | seed | budget | mean test Dice |", "|---|---|---|---|"]
    lines += [
        f"| {Path(document['cell']['data']).name} | {document['cell']['seed']} "
        f"| {budget} | {dice:.3f} |"
        for document in documents
        for budget, dice in document["dice"].items()
    ]
    return "\n".join(lines)


def _by_set_name(files: list[Path]) -> dict[str, list[Path]]:
    """The set's name is what stands before the first hyphen."""
    sets: dict[str, list[Path]] = {}
    for path in files:
        sets.setdefault(path.name.partition("-")[0], []).append(path)
    return sets


def _read(folder: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(pattern))]
