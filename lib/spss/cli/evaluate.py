"""Score predicted label maps against the truth: Dice, Jaccard, HD95 and ASD in mm."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spss.datasets import open_decathlon
from spss.errors import InputError
from spss.metrics import METRICS, Scores, Summary, segmentation_scores, summarise
from spss.volumes import image_name, list_images, read_grid, read_label, replace_atomically

_TITLES = {"dice": "Dice", "jaccard": "Jaccard", "hd95_mm": "HD95 mm", "asd_mm": "ASD mm"}
_LARGER_IS_WORSE = ("hd95_mm", "asd_mm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss evaluate``."""
    parser.add_argument("predictions", type=Path, metavar="PRED_DIR", help="predicted label maps")
    parser.add_argument(
        "labels", type=Path, metavar="LABEL_DIR", help="true label maps, same names"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")


def run(args: argparse.Namespace) -> int:
    """Scores every prediction that has a truth, prints a table, writes JSON if asked."""
    pairs = _pairs(args.predictions, args.labels)
    class_names = _class_names(pairs, (args.labels.parent, args.predictions.parent))
    scores: dict[str, Scores] = {}
    skipped: dict[str, str] = {}
    for name, (prediction, truth) in tqdm(pairs.items(), desc="Scoring", disable=None, leave=False):
        try:
            scores[name] = _score(prediction, truth, len(class_names))
        except InputError as error:
            skipped[name] = str(error)
            print(f"spss evaluate: skipped {name}: {error}", file=sys.stderr)
    if not scores:
        msg = f"None of the {len(pairs)} predictions in {args.predictions} could be scored."
        raise InputError(msg)
    summary = summarise(list(scores.values()), class_names)
    print(_table(summary, skipped))
    without = len(list_images(args.labels)) - len(pairs)
    if without:
        print(f"{without} labels in {args.labels} have no prediction and are left out.")
    if args.json:
        _write_json(args.json, scores, summary, skipped, class_names)
    return 0


def _pairs(predictions: Path, labels: Path) -> dict[str, tuple[Path, Path]]:
    """Prediction and truth by name; what only one of the folders has is left out."""
    truth_of = {image_name(path): path for path in list_images(labels)}
    pairs = {
        image_name(path): (path, truth_of[image_name(path)])
        for path in list_images(predictions)
        if image_name(path) in truth_of
    }
    if not pairs:
        msg = (
            f"No label map in {predictions} has the name of one in {labels}: "
            "give two folders whose files are called alike."
        )
        raise InputError(msg)
    return pairs


def _class_names(
    pairs: dict[str, tuple[Path, Path]], neighbours: Sequence[Path]
) -> tuple[str, ...]:
    """From a ``dataset.json`` beside either folder, else numbered by the largest value found."""
    for folder in neighbours:
        if (folder / "dataset.json").is_file():
            return open_decathlon(folder).class_names
    largest = max((_largest_value(path) for pair in pairs.values() for path in pair), default=1)
    return ("background", *(f"class {index}" for index in range(1, max(largest, 1) + 1)))


def _largest_value(path: Path) -> int:
    try:
        return int(read_label(path).max())
    except InputError:
        return 0  # named and skipped when it is scored


def _score(prediction: Path, truth: Path, class_count: int) -> Scores:
    """Of one case, on the truth's grid and in its millimetres."""
    grid = read_grid(truth)
    return segmentation_scores(
        read_label(prediction, like=grid, class_count=class_count),
        read_label(truth, class_count=class_count),
        spacing_mm=grid.spacing_mm,
        class_count=class_count,
    )


def _table(summary: Summary, skipped: dict[str, str]) -> str:
    """A class a row, and under it the weakest 5 %, which a mean hides."""
    width = max(len(name) for name in (*summary.statistics, "class"))
    head = [f"{_TITLES[metric]:>22}" for metric in METRICS]
    lines = [f"{'class':<{width}}" + "".join(head)]
    for name, row in summary.statistics.items():
        cells = [_cell(metric, row[metric].mean, row[metric].interval) for metric in METRICS]
        weak = [
            row[metric].p95 if metric in _LARGER_IS_WORSE else row[metric].p5 for metric in METRICS
        ]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>22}" for cell in cells))
        lines.append(" " * width + "".join(f"{f'weakest 5 %: {value:.3f}':>22}" for value in weak))
    lines.append(
        f"{summary.case_count} cases"
        + (f", {len(skipped)} skipped" if skipped else "")
        + "; mean ± 95 % interval over cases. Weakest 5 %: the 5th percentile of Dice and Jaccard, "
        "the 95th of the distances. A class absent from truth and prediction does not count."
    )
    return "\n".join(lines)


def _cell(metric: str, mean: float, interval: float) -> str:
    digits = 2 if metric in _LARGER_IS_WORSE else 3
    return f"{mean:.{digits}f} ± {interval:.{digits}f}"


def _write_json(
    path: Path,
    scores: dict[str, Scores],
    summary: Summary,
    skipped: dict[str, str],
    class_names: Iterable[str],
) -> None:
    """Everything the table shows, and each case by itself."""
    names = list(class_names)
    document: dict[str, Any] = {
        "class_names": names,
        "summary": summary.as_json(),
        "cases": {name: _case_json(case, names) for name, case in scores.items()},
        "skipped": skipped,
    }
    with replace_atomically(path) as unfinished:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def _case_json(scores: Scores, names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    return {
        name: {metric: _number(scores.of(metric)[position]) for metric in METRICS}
        for position, name in enumerate(names[1:])
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
