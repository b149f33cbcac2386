"""A network and one drawn plane together: is the draft better than either alone?

On the test split, which neither the network nor the end rule has seen: the network's own answer,
the same with the drawn plane put in, the plane carried without a network, and both joined
(``spss propagate --model DIR``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.datasets import Case, open_decathlon, split
from spss.inference import Predictor
from spss.propagation import propagate
from spss.types import ClassMap
from spss.volumes import read_image, read_label, replace_atomically
from spss_apps.benchmarks.propagation_tasks import random_middle_plane
from spss_apps.benchmarks.training_jobs import DEFAULT_DATA, DEFAULT_PAGE, check_data
from spss_apps.benchmarks.training_page import usual_place, write_section
from spss_apps.benchmarks.training_table import interval
from spss_apps.measuring import dice_of

WAYS = ("network alone", "drawn plane put in", "plane alone", "joined")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py joining``."""
    parser.add_argument("--models", nargs="+", type=Path, required=True, help="training folders")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="Decathlon folder")
    parser.add_argument("--axis", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--seed", type=int, default=0, help="chooses the planes")
    parser.add_argument("--volumes", type=int, help="of the test split; all if not given")
    parser.add_argument("--folder", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)


def run(args: argparse.Namespace) -> int:
    """Measures every model on the same volumes and planes, and writes the section."""
    check_data(args.data)
    rows = [row for model in args.models for row in measure(model, args)]
    args.folder.mkdir(parents=True, exist_ok=True)
    with replace_atomically(args.folder / "joining.json") as unfinished:
        unfinished.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    text = report(rows, args)
    write_section(args.page, text, "joining")
    print(text)
    return 0


def measure(model: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Mean Dice over classes of each way, volume by volume."""
    dataset = open_decathlon(args.data)
    predictor = Predictor.load(model, device="cpu")
    rng = np.random.default_rng(args.seed)
    for name in split(dataset)["test"][: args.volumes]:
        answers, truth = _answers(dataset.case(name), predictor, args.axis, rng)
        scores = {
            way: dice_of(each, truth, len(dataset.class_names)) for way, each in answers.items()
        }
        yield {"model": model.name, "volume": name, "dice": scores}


def _answers(
    case: Case, predictor: Predictor, axis: int, rng: np.random.Generator
) -> tuple[dict[str, ClassMap], ClassMap]:
    """What each way answers, and the truth."""
    volume = read_image(case.image)
    assert case.label is not None  # the test split is labelled throughout
    truth = read_label(case.label, like=volume)
    plane = Plane(axis, random_middle_plane(truth, axis, rng))
    prediction = predictor.predict(volume, probabilities=True)
    label = SparseLabel.from_planes(truth, [plane])
    put_in = prediction.classes.copy()
    put_in[plane.slices] = truth[plane.slices]
    alone, joined = (
        propagate(
            volume.data,
            label,
            spacing_mm=volume.spacing_mm,
            class_count=len(predictor.class_names),
            network_probabilities=network,
        ).classes
        for network in (None, prediction.probabilities)
    )
    return dict(zip(WAYS, (prediction.classes, put_in, alone, joined), strict=True)), truth


def report(rows: Sequence[dict[str, Any]], args: argparse.Namespace) -> str:
    """The section of the page."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    volumes = len(rows) // len(models)
    command = (
        f"python apps/benchmark.py joining --data {usual_place(str(args.data))} "
        f"--axis {args.axis} --seed {args.seed} --models "
        + " ".join(f"benchmark-results/training/models/{model}" for model in models)
    )
    lines = [
        "## A network and one drawn plane",
        "",
        f"{volumes} test volumes, one random plane of the organ's middle 3/5 in each, mean Dice "
        "over classes. Joined minus the better of network and plane alone: paired, with its 95 % "
        "interval over volumes.",
        "",
        f"```\n{command}\n```",
        "",
        f"| model | {' | '.join(WAYS)} | joined minus the better alone |",
        "|---|" + "---|" * (len(WAYS) + 1),
        *(_line(model, [row["dice"] for row in rows if row["model"] == model]) for model in models),
    ]
    return "\n".join(lines)


def _line(model: str, scores: Sequence[dict[str, float]]) -> str:
    means = {way: float(np.mean([each[way] for each in scores])) for way in WAYS}
    best = max(("network alone", "plane alone"), key=lambda way: means[way])
    gain, half = interval([each["joined"] - each[best] for each in scores])
    cells = " | ".join(f"{means[way]:.3f}" for way in WAYS)
    return f"| {model} | {cells} | {gain:+.3f} ± {half:.3f} |"
