"""Networks of propagation trained on many volumes without labels, against optical flow.

They are trained on the train split, which none of the measured volumes belongs to, and carry one
plane with the same end rules. One registration network is trained on with soft labels as well,
which is what the feedback of a segmenter's training does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spss.datasets import Dataset, load_label_of, make_budget, open_decathlon, split
from spss.propagation import propagate
from spss.propagation.correspondence_network import CorrespondenceNetwork
from spss.propagation.correspondence_training import train_correspondence
from spss.propagation.neighbouring_slices import VolumeFiles
from spss.propagation.registration_network import RegistrationConfig, RegistrationNetwork
from spss.propagation.registration_training import train_registration
from spss.propagation.saved_network import SavedNetwork
from spss.volumes import read_image, replace_atomically
from spss_apps.benchmarks.propagation_measure import measure
from spss_apps.benchmarks.propagation_table import chosen, mean_dice
from spss_apps.benchmarks.propagation_tasks import Task, measured_cases, tasks
from spss_apps.benchmarks.training_jobs import DEFAULT_PAGE, check_data
from spss_apps.benchmarks.training_page import write_section
from spss_apps.benchmarks.training_table import interval

FOLDERS = {"hippocampus": ("Task04_Hippocampus", 0), "acdc": ("ACDC", 2)}
FLOW = "optical flow"
PROPAGATORS = {
    FLOW: "flow",
    "plain": "learned",
    "diffeomorphic": "learned",
    "refined": "learned",
    "correspondence": "correspondence",
}
"""What is measured, and the propagator that carries it; ``refined`` goes on from ``plain``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py registration``."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=["hippocampus"], choices=list(FOLDERS))
    networks = [name for name in PROPAGATORS if name != FLOW]
    parser.add_argument("--networks", nargs="+", default=networks, choices=networks)
    parser.add_argument("--steps", type=int, default=3000, help="of each network's training")
    parser.add_argument("--every", type=int, default=1, help="measure every Nth volume")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-results/registration"))
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)
    parser.add_argument("--report-only", action="store_true", help="only write the section")


def run(args: argparse.Namespace) -> int:
    """Trains, measures, and writes the section of all that was measured so far."""
    args.folder.mkdir(parents=True, exist_ok=True)
    if not args.report_only:
        check_data(args.data)
        _measure(args)
    text = report(args.folder)
    write_section(args.page, text, "registration")
    print(text)
    return 0


def _measure(args: argparse.Namespace) -> None:
    """Trains and measures; keeps a file for each set and network."""
    import torch

    torch.set_num_threads(1)  # two threads wait for each other where another job has a core
    for set_name in args.sets:
        training = Training(set_name, args)
        todo = list(tasks(set_name, args.data, None, args.seed, "one"))[:: args.every]
        for network in (FLOW, *args.networks):
            weights, seconds = (None, 0.0) if network == FLOW else training.train(network)
            result = {
                "set": set_name,
                "network": network,
                "seconds": seconds,
                "command": _command(set_name, args),
                "rows": [row for task in todo for row in _rows(task, network, weights)],
            }
            with replace_atomically(args.folder / f"{set_name}-{network}.json") as unfinished:
                unfinished.write_text(json.dumps(result), encoding="utf-8")


class Training:
    """Trains the networks of one set.

    Args:
        set_name: of ``FOLDERS``.
        args: of the command.
    """

    def __init__(self, set_name: str, args: argparse.Namespace) -> None:
        folder, self.axis = FOLDERS[set_name]
        self.set_name, self.args = set_name, args
        self.dataset = open_decathlon(args.data / folder)
        cases = measured_cases(self.dataset, set_name)
        self.measured = {case.patient or case.name for case in cases}
        train = [self.dataset.case(name) for name in split(self.dataset)["train"]]
        unseen = [each for each in train if (each.patient or each.name) not in self.measured]
        self.images = VolumeFiles([each.image for each in unseen])

    def train(self, network: str) -> tuple[Path, float]:
        """The file of a trained network, and the processor seconds that its training took."""
        file = self.args.folder / f"{self.set_name}-{network}.pt"
        makers: dict[str, Callable[[], SavedNetwork]] = {
            "plain": lambda: self._plain[0],
            "diffeomorphic": lambda: self._registration(RegistrationConfig(diffeomorphic=True)),
            "refined": self._refined,
            "correspondence": self._correspondence,
        }
        before = self._plain[1] if network == "refined" else 0.0
        start = time.process_time()
        makers[network]().save(file)
        return file, before + time.process_time() - start

    @cached_property
    def _plain(self) -> tuple[RegistrationNetwork, float]:
        """It and the processor seconds of its training."""
        start = time.process_time()
        return self._registration(RegistrationConfig()), time.process_time() - start

    def _registration(self, config: RegistrationConfig) -> RegistrationNetwork:
        return train_registration(
            self.images,
            network=RegistrationNetwork(config),
            axes=(self.axis,),
            steps=self.args.steps,
            seed=self.args.seed,
        )

    def _correspondence(self) -> CorrespondenceNetwork:
        return train_correspondence(
            self.images, axes=(self.axis,), steps=self.args.steps, seed=self.args.seed
        )

    def _refined(self) -> RegistrationNetwork:
        """``plain``, then a third of its steps with soft labels that flow carried in `1x20`."""
        images, labels = carried_labels(self.dataset, self.measured, self.axis, self.args.seed)
        return train_registration(
            images,
            network=deepcopy(self._plain[0]),
            axes=(self.axis,),
            steps=self.args.steps // 3,
            soft_labels=labels,
            seed=self.args.seed,
        )


def carried_labels(
    dataset: Dataset, measured: set[str], axis: int, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images of a `1x20` budget and the soft labels that flow carried from their planes."""
    annotations = make_budget(dataset, "1x20", axis, seed)
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
    return images, labels


def _rows(task: Task, network: str, weights: Path | None) -> list[dict[str, Any]]:
    """One volume, with each end rule."""
    return [
        measure(task, PROPAGATORS[network], rule, threads=1, weights=weights)[0]
        for rule in ("none", "simple", "learned")
    ]


def _command(set_name: str, args: argparse.Namespace) -> str:
    return (
        f"python apps/benchmark.py registration --sets {set_name} "
        f"--networks {' '.join(args.networks)} "
        f"--steps {args.steps} --every {args.every} --seed {args.seed}"
    )


def report(folder: Path) -> str:
    """The section of the page, of all sets and networks that were measured."""
    results = [
        json.loads(path.read_text(encoding="utf-8"))
        for set_name in FOLDERS
        for network in PROPAGATORS
        if (path := folder / f"{set_name}-{network}.json").is_file()
    ]
    commands = dict.fromkeys(each["command"] for each in results if each["network"] != FLOW)
    lines = [
        "## Networks trained on many volumes",
        "",
        "Trained without labels on neighbouring slices of the train split, one thread: registration"
        " networks (`refined` goes on for a third of the steps with the Dice of labels that flow "
        "carried from a `1x20` budget) and affinities (`correspondence`). Mean Dice from one plane,"
        " volumes and planes as in Propagation; minus optical flow: with the simple end rule, "
        "paired, with its 95 % interval over volumes.",
        "",
        *("```", *commands, "```"),
        "",
        "| set | network | training, CPU s | no end rule | simple | learned | minus optical flow | "
        "ms per slice (simple) | volumes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    flow = {each["set"]: each["rows"] for each in results if each["network"] == FLOW}
    return "\n".join([*lines, *(_line(each, flow[each["set"]]) for each in results)])


def _line(result: dict[str, Any], flow: Sequence[dict[str, Any]]) -> str:
    """A row of the table."""
    rows = result["rows"]
    cells = [
        f"{mean_dice(chosen(rows, end_rule=rule)):.3f}" for rule in ("none", "simple", "learned")
    ]
    simple = chosen(rows, end_rule="simple")
    speed = float(np.median([row["ms_per_slice"] for row in simple]))
    is_flow = result["network"] == FLOW
    training = "-" if is_flow else f"{result['seconds']:.0f}"
    difference = "" if is_flow else _difference(simple, chosen(list(flow), end_rule="simple"))
    return (
        f"| {result['set']} | {result['network']} | {training} | {' | '.join(cells)} | "
        f"{difference} | {speed:.1f} | {len(simple)} |"
    )


def _difference(rows: Sequence[dict[str, Any]], flow: Sequence[dict[str, Any]]) -> str:
    """Mean difference over the volumes that both were measured on, ± its 95 % interval."""
    theirs = {row["volume"]: float(np.mean(row["dice"])) for row in flow}
    pairs = [
        float(np.mean(row["dice"])) - theirs[row["volume"]]
        for row in rows
        if row["volume"] in theirs
    ]
    mean, half = interval(pairs)
    return f"{mean:+.3f} ± {half:.3f}"
