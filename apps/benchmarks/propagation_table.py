"""Turns measured rows of propagation into tables and writes the section of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

START = "<!-- propagation:start -->"
END = "<!-- propagation:end -->"

Row = dict[str, Any]


def mean_dice(rows: Iterable[Row]) -> float:
    """Mean over volumes of the mean over classes; NaN without rows."""
    scores = [float(np.mean(row["dice"])) for row in rows]
    return float(np.mean(scores)) if scores else float("nan")


def chosen(rows: list[Row], **wanted: str) -> list[Row]:
    """Rows whose fields have the wanted values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def dice_table(rows: list[Row], kind: str) -> str:
    """One line a set and method: Dice, 5th percentile, time, memory, how many volumes."""
    lines = [
        "| set | propagator | end rule | Dice | per class | 5th percentile | "
        "same volumes, `auto` | ms per slice | peak MB | volumes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    of_kind = chosen(rows, kind=kind)
    keys = dict.fromkeys((row["set"], row["propagator"], row["end_rule"]) for row in of_kind)
    for set_name, propagator, end_rule in sorted(keys):
        mine = chosen(of_kind, set=set_name, propagator=propagator, end_rule=end_rule)
        names = {row["volume"] for row in mine}
        auto = chosen(of_kind, set=set_name, propagator="auto", end_rule="learned")
        beside = mean_dice(row for row in auto if row["volume"] in names)
        per_class = np.mean([row["dice"] for row in mine], axis=0)
        low = float(np.percentile([np.mean(row["dice"]) for row in mine], 5))
        speed = float(np.median([row["ms_per_slice"] for row in mine]))
        lines.append(
            f"| {set_name} | {propagator} | {end_rule} | {mean_dice(mine):.3f} | "
            f"{', '.join(f'{value:.3f}' for value in per_class)} | {low:.3f} | {beside:.3f} | "
            f"{speed:.1f} | {_peak(mine)} | {len(mine)} |"
        )
    return "\n".join(lines)


def _peak(rows: list[Row]) -> str:
    """The most that any volume took, in MB beside image and label; a dash where nothing tells."""
    known = [row["peak_mb"] for row in rows if row.get("peak_mb") is not None]
    return f"{max(known):.0f}" if known else "–"


def reliability_table(rows: list[Row]) -> str:
    """AUROC, error and calibration over voxels that plain flow calls foreground."""
    lines = [
        "| set | error of plain flow | AUROC | error, most reliable half | calibration error |",
        "|---|---|---|---|---|",
    ]
    for set_name in dict.fromkeys(row["set"] for row in rows):
        samples = [
            pair for row in rows if row["set"] == set_name for pair in row.get("reliability", [])
        ]
        if not samples:
            continue
        score, right = np.array(samples, float).T
        half = np.argsort(-score, kind="stable")[: len(score) // 2]
        lines.append(
            f"| {set_name} | {1 - right.mean():.3f} | {auroc(score, right):.3f} | "
            f"{1 - right[half].mean():.3f} | {calibration_error(score, right):.3f} |"
        )
    return "\n".join(lines)


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Probability that a right voxel scores above a wrong one (ties count half)."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = right.sum(), (1 - right).sum()
    if not positives or not negatives:
        return float("nan")
    below = rank[right > 0].sum() - positives * (positives + 1) / 2
    return float(below / (positives * negatives))


def calibration_error(score: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins (Guo et al., ICML 2017)."""
    place = np.minimum((score * bins).astype(int), bins - 1)
    gaps = [
        abs(score[place == each].mean() - right[place == each].mean()) * (place == each).mean()
        for each in np.unique(place)
    ]
    return float(np.sum(gaps))


def write_section(page: Path, text: str) -> None:
    """Replaces what stands between the markers, or appends it."""
    old = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    section = f"{START}\n{text.rstrip()}\n{END}"
    if START in old and END in old:
        before, rest = old.split(START, 1)
        new = before + section + rest.split(END, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{section}\n"
    page.write_text(new, encoding="utf-8")
