"""Does the score see error? Each round's network: its planes' scores against their true error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

COLUMNS = ("score", "expected_error", "untrusted", "entropy")


@dataclass(frozen=True)
class Sight:
    """How well one column tells the planes' error, for one network.

    Attributes:
        correlation: Spearman's, over all planes with foreground in truth or prediction.
        found: share of the truly worst tenth of planes among the tenth with the largest values;
            by chance 0.1.
    """

    correlation: float
    found: float


def sight_of(values: NDArray[np.float64], error: NDArray[np.float64]) -> Sight:
    """Compares ``(planes,)`` values with ``(planes,)`` true errors."""
    count = max(1, round(len(error) / 10))
    worst, largest = (set(np.argsort(-each, kind="stable")[:count]) for each in (error, values))
    correlation = float(stats.spearmanr(values, error).statistic)
    return Sight(correlation, len(worst & largest) / count)


def measure_sight(notes: Mapping[str, Any], axis: int) -> dict[str, Sight]:
    """Of one network's notes: column → how well it sees the error of the planes along ``axis``."""
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    errors: list[float] = []
    for document in notes.values():
        scores = document["note"]["scores"][str(axis)]
        for index, error in enumerate(document["error"][axis]):
            if error is None:
                continue
            errors.append(error)
            for name in COLUMNS:
                columns[name].append(scores[name][index])
    truth = np.asarray(errors)
    return {name: sight_of(np.asarray(values), truth) for name, values in columns.items()}


def sight_table(
    sets: Mapping[str, Sequence[Path]], axes: Mapping[str, Sequence[int]] | None = None
) -> str:
    """Mean over the networks whose notes are given, one row a set, an axis and a column.

    Args:
        sets: data set → files with the notes of its networks.
        axes: data set → along which planes are compared; along all three where none are named.
    """
    lines = [
        "| set | planes along axis | what ranks them | Spearman with 1 - Dice | lowest network "
        "| worst tenth found (chance 10 %) | networks |",
        "|---|---|---|---|---|---|---|",
    ]
    for set_name, files in sets.items():
        notes = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        for axis in (axes or {}).get(set_name, (0, 1, 2)) if notes else ():
            found = [measure_sight(each, axis) for each in notes]
            lines += [
                _sight_row(f"{set_name} | {axis}", name, [one[name] for one in found])
                for name in COLUMNS
            ]
    return "\n".join(lines) if len(lines) > 2 else ""


def _sight_row(start: str, name: str, rows: Sequence[Sight]) -> str:
    return (
        f"| {start} | {name} | {np.mean([row.correlation for row in rows]):.2f} "
        f"| {min(row.correlation for row in rows):.2f} "
        f"| {np.mean([row.found for row in rows]):.0%} | {len(rows)} |"
    )
