"""Registration networks trained on many volumes without labels, against optical flow.

Networks are trained on the train split, which none of the measured volumes belongs to, and carry
one plane with the same end rules. One is trained on with soft labels as well, which is what the
feedback of a segmenter's training does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spss.datasets import Dataset, load_label_of, make_budget, open_decathlon, split
from spss.propagation import propagate
from spss.propagation.registration_network import RegistrationConfig, RegistrationNetwork
from spss.propagation.registration_training import VolumeFiles, train_registration
from spss.volumes import read_image, replace_atomically
from spss_apps.benchmarks.propagation_measure import measure
from spss_apps.benchmarks.propagation_table import chosen, mean_dice
from spss_apps.benchmarks.propagation_tasks import Task, measured_cases, tasks
from spss_apps.benchmarks.training_jobs import DEFAULT_PAGE, check_data
from spss_apps.benchmarks.training_page import write_section

FOLDERS = {"hippocampus": ("Task04_Hippocampus", 0), "acdc": ("ACDC", 2)}
REFINED = "refined by labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py registration``."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=["hippocampus"], choices=list(FOLDERS))
    parser.add_argument("--steps", type=int, default=3000, help="of each network's training")
    parser.add_argument("--every", type=int, default=1, help="measure every Nth volume")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-results/registration"))
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)


def run(args: argparse.Namespace) -> int:
    """Trains, measures, and writes the section."""
    import torch

    torch.set_num_threads(1)  # two threads wait for each other where another job has a core
    check_data(args.data)
    args.folder.mkdir(parents=True, exist_ok=True)
    rows, seconds = [], {}
    for set_name in args.sets:
        networks, seconds[set_name] = _networks(set_name, args)
        chosen_tasks = tasks(set_name, args.data, None, args.seed, "one")
        for place, task in enumerate(chosen_tasks):
            if place % args.every == 0:
                rows += _rows(task, networks)
    with replace_atomically(args.folder / "rows.json") as unfinished:
        unfinished.write_text(json.dumps({"rows": rows, "seconds": seconds}), encoding="utf-8")
    text = report(rows, seconds, args)
    write_section(args.page, text, "registration")
    print(text)
    return 0


def _networks(set_name: str, args: argparse.Namespace) -> tuple[dict[str, Path], dict[str, float]]:
    """Name → file of a trained network, and the seconds that its training took."""
    folder, axis = FOLDERS[set_name]
    dataset = open_decathlon(args.data / folder)
    measured = {case.patient or case.name for case in measured_cases(dataset, set_name)}
    cases = [dataset.case(name) for name in split(dataset)["train"]]
    images = [each.image for each in cases if (each.patient or each.name) not in measured]
    files, seconds = {}, {}
    plain: RegistrationNetwork | None = None
    for name, config in (
        ("plain", RegistrationConfig()),
        ("diffeomorphic", RegistrationConfig(diffeomorphic=True)),
    ):
        start = time.process_time()
        network = train_registration(
            VolumeFiles(images),
            network=RegistrationNetwork(config),
            axes=(axis,),
            steps=args.steps,
            seed=args.seed,
        )
        seconds[name] = time.process_time() - start
        plain = plain or network
        files[name] = args.folder / f"{set_name}-{name}.pt"
        network.save(files[name])
    start = time.process_time()
    assert plain is not None
    refined = _refined(plain, dataset, measured, axis, args)
    seconds[REFINED] = seconds["plain"] + time.process_time() - start
    files[REFINED] = args.folder / f"{set_name}-refined.pt"
    refined.save(files[REFINED])
    return files, seconds


def _refined(
    network: RegistrationNetwork,
    dataset: Dataset,
    measured: set[str],
    axis: int,
    args: argparse.Namespace,
) -> RegistrationNetwork:
    """Goes on with the soft labels that flow carried from the planes of a `1x20` budget."""
    annotations = make_budget(dataset, "1x20", axis, args.seed)
    images, labels = [], []
    for case in map(dataset.case, annotations):
        load = load_label_of(case, annotations, class_count=len(dataset.class_names))
        if load is None or (case.patient or case.name) in measured:
            continue
        volume = read_image(case.image)
        found = propagate(
            volume.data,
            load(),
            spacing_mm=volume.spacing_mm,
            class_count=len(dataset.class_names),
            end_rule="simple",
        )
        images.append(volume.data)
        labels.append(found.probabilities)
    return train_registration(
        images,
        network=network,
        axes=(axis,),
        steps=args.steps // 3,
        soft_labels=labels,
        seed=args.seed,
    )


def _rows(task: Task, networks: dict[str, Path]) -> list[dict[str, Any]]:
    """Flow and every network, with each end rule."""
    rows = []
    for end_rule in ("none", "simple", "learned"):
        rows.append({**measure(task, "flow", end_rule, threads=1)[0], "network": "optical flow"})
        for name, weights in networks.items():
            row, _ = measure(task, "learned", end_rule, threads=1, weights=weights)
            rows.append({**row, "network": name})
    return rows


def report(
    rows: Sequence[dict[str, Any]], seconds: dict[str, dict[str, float]], args: argparse.Namespace
) -> str:
    """The section of the page."""
    lines = [
        "## Registration networks",
        "",
        "Trained without labels on neighbouring slices of the train split, one thread; `refined by "
        "labels` goes on for a third of the steps with the Dice of labels that flow carried from a "
        "`1x20` budget. Mean Dice from one plane, volumes and planes as in Propagation.",
        "",
        f"```\npython apps/benchmark.py registration --sets {' '.join(args.sets)} "
        f"--steps {args.steps} --every {args.every} --seed {args.seed}\n```",
        "",
        "| set | registration | training, CPU s | no end rule | simple | learned | "
        "ms per slice (simple) | volumes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for set_name in dict.fromkeys(row["set"] for row in rows):
        for network in dict.fromkeys(row["network"] for row in rows):
            mine = chosen(list(rows), set=set_name, network=network)
            cells = [
                f"{mean_dice(chosen(mine, end_rule=rule)):.3f}"
                for rule in ("none", "simple", "learned")
            ]
            simple = chosen(mine, end_rule="simple")
            speed = float(np.median([row["ms_per_slice"] for row in simple]))
            took = seconds[set_name].get(network)
            lines.append(
                f"| {set_name} | {network} | {'-' if took is None else f'{took:.0f}'} | "
                f"{' | '.join(cells)} | {speed:.1f} | {len(simple)} |"
            )
    return "\n".join(lines)
