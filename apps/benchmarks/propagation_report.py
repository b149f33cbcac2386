"""The section "Propagation" of the benchmarks page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spss_apps.benchmarks.propagation_table import chosen, dice_table, mean_dice, reliability_table

NOTES = Path(__file__).with_name("propagation_notes.md")
"""What was tried, what the constants were fitted on, and what is not reached: written by hand."""


def report(rows: list[dict[str, Any]], command: str) -> str:
    """Tables, figures and notes."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    parts = [
        "## Propagation",
        f"Reproduce: `{command}` (two threads; times on a shared machine, compare within a table).",
        "### From one plane\n\n" + _summary(rows, sets),
        dice_table(rows, "one"),
        "### Between every eighth plane\n\n" + dice_table(rows, "every8"),
        "### Reliability\n\nOver the voxels that plain flow (no end rule) calls foreground, the "
        "drawn plane excluded: how well the reliability tells which of them are right.\n\n"
        + reliability_table(rows),
        "\n\n".join(_figures(set_name) for set_name in sets),
    ]
    if NOTES.exists():
        parts.append(NOTES.read_text(encoding="utf-8").rstrip())
    return "\n\n".join(parts)


def _summary(rows: list[dict[str, Any]], sets: list[str]) -> str:
    """Mean Dice over classes, then volumes; one line a set."""
    lines = [
        "| set, one plane | copy | flow, no end rule | simple end rule | `auto` | gain |",
        "|---|---|---|---|---|---|",
    ]
    methods = (("copy", "none"), ("flow", "none"), ("flow", "simple"), ("auto", "learned"))
    for set_name in sets:
        values = [
            mean_dice(chosen(rows, set=set_name, kind="one", propagator=name, end_rule=rule))
            for name, rule in methods
        ]
        shown = " | ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {set_name} | {shown} | {values[3] - values[2]:+.3f} |")
    return "\n".join(lines)


def _figures(set_name: str) -> str:
    return (
        f"![Dice over distance, {set_name}](img/propagation_{set_name}_distance.png)\n\n"
        f"![Three volumes, {set_name}](img/propagation_{set_name}_examples.png)"
    )
