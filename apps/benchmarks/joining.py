"""A network and one drawn plane together: is the draft better than either alone?

On the test split, which neither the network nor the end rule has seen: the network's own answer,
the same with the drawn plane put in, the plane carried without a network, and both joined
(``spss propagate --model DIR``). What the reliability tells with and without the network is
measured on the voxels that plain flow calls foreground. Each data set has a file and a part of the
page of its own.
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
from spss.propagation import PseudoLabel, propagate
from spss.types import Probabilities
from spss.volumes import read_image, read_label, replace_atomically
from spss_apps.benchmarks.propagation_measure import reliability_samples
from spss_apps.benchmarks.propagation_table import reliability_table
from spss_apps.benchmarks.propagation_tasks import Task, random_middle_plane
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
    measured = {
        "data": usual_place(str(args.data)),
        "axis": args.axis,
        "seed": args.seed,
        "rows": [row for model in args.models for row in measure(model, args)],
    }
    args.folder.mkdir(parents=True, exist_ok=True)
    file = args.folder / f"joining-{args.data.name}.json"
    with replace_atomically(file) as unfinished:
        unfinished.write_text(json.dumps(measured), encoding="utf-8")
    sets = [json.loads(path.read_text()) for path in sorted(args.folder.glob("joining-*.json"))]
    text = report(sets)
    write_section(args.page, text, "joining")
    print(text)
    return 0


def measure(model: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Mean Dice over classes of each way and what the reliability tells, volume by volume."""
    dataset = open_decathlon(args.data)
    predictor = Predictor.load(model, device="cpu")
    rng = np.random.default_rng(args.seed)
    for name in split(dataset)["test"][: args.volumes]:
        task = _task(dataset.case(name), args.axis, len(dataset.class_names), rng)
        yield {"model": model.name, "volume": name, **_measured(task, predictor)}


def _task(case: Case, axis: int, class_count: int, rng: np.random.Generator) -> Task:
    """One random plane of the middle of a test volume."""
    volume = read_image(case.image)
    assert case.label is not None  # the test split is labelled throughout
    truth = read_label(case.label, like=volume)
    plane = Plane(axis, random_middle_plane(truth, axis, rng))
    return Task("test", volume, truth, axis, (plane,), class_count, "one")


def _measured(task: Task, predictor: Predictor) -> dict[str, Any]:
    """``dice`` of each way; ``reliability``: samples of the plane alone and of both joined."""
    prediction = predictor.predict(task.volume, probabilities=True)
    put_in = prediction.classes.copy()
    for plane in task.planes:
        put_in[plane.slices] = task.truth[plane.slices]
    carried = {
        "plane alone": _carried(task),
        "joined": _carried(task, network_probabilities=prediction.probabilities),
    }
    answers = {"network alone": prediction.classes, "drawn plane put in": put_in}
    answers |= {way: result.classes for way, result in carried.items()}
    flow = _carried(task, end_rule="none").classes
    return {
        "dice": {way: dice_of(answers[way], task.truth, task.class_count) for way in WAYS},
        "reliability": {
            way: reliability_samples(task, flow, result, seed=0) for way, result in carried.items()
        },
    }


def _carried(
    task: Task, *, end_rule: str = "learned", network_probabilities: Probabilities | None = None
) -> PseudoLabel:
    return propagate(
        task.volume.data,
        SparseLabel.from_planes(task.truth, task.planes),
        spacing_mm=task.volume.spacing_mm,
        class_count=task.class_count,
        end_rule=end_rule,
        network_probabilities=network_probabilities,
    )


def report(sets: Sequence[dict[str, Any]]) -> str:
    """The section of the page, a part for each data set."""
    head = (
        "## A network and one drawn plane\n\n"
        "Test volumes, one random plane of the organ's middle 3/5 in each, mean Dice over classes. "
        "Joined minus the better of network and plane alone: paired, with its 95 % interval over "
        "volumes. Reliability: as in *Propagation*, over the voxels that plain flow calls "
        "foreground, the drawn plane excluded."
    )
    return "\n\n".join([head, *map(_part, sets)])


def _part(measured: dict[str, Any]) -> str:
    """One data set: Dice of each model, then what the reliability tells."""
    rows = measured["rows"]
    models = list(dict.fromkeys(row["model"] for row in rows))
    name = Path(measured["data"]).name
    command = (
        f"python apps/benchmark.py joining --data {measured['data']} "
        f"--axis {measured['axis']} --seed {measured['seed']} --models "
        + " ".join(f"benchmark-results/training/models/{model}" for model in models)
    )
    lines = [
        f"### {name}, {len(rows) // len(models)} test volumes",
        "",
        f"```\n{command}\n```",
        "",
        f"| model | {' | '.join(WAYS)} | joined minus the better alone |",
        "|---|" + "---|" * (len(WAYS) + 1),
        *(_line(model, [row["dice"] for row in rows if row["model"] == model]) for model in models),
    ]
    return "\n".join(lines) + "\n\n" + reliability_table(_reliability(rows, models))


def _reliability(rows: Sequence[dict[str, Any]], models: Sequence[str]) -> list[dict[str, Any]]:
    """Rows for the table: the plane alone once, since it is the same for all models."""
    alone = [
        {"set": "plane alone", "reliability": row["reliability"]["plane alone"]}
        for row in rows
        if row["model"] == models[0]
    ]
    joined = [
        {"set": f"joined, {row['model']}", "reliability": row["reliability"]["joined"]}
        for row in rows
    ]
    return alone + joined


def _line(model: str, scores: Sequence[dict[str, float]]) -> str:
    means = {way: float(np.mean([each[way] for each in scores])) for way in WAYS}
    best = max(("network alone", "plane alone"), key=lambda way: means[way])
    gain, half = interval([each["joined"] - each[best] for each in scores])
    cells = " | ".join(f"{means[way]:.3f}" for way in WAYS)
    return f"| {model} | {cells} | {gain:+.3f} ± {half:.3f} |"
