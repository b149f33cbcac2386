"""Cost of one training step of `spss` against the released recipe, in one run on one machine.

The released recipe is a mode of our own trainer: `spss_reference` with four student passes with a
gradient, eleven teacher passes, twenty registration steps and the dense N x N contrast on a grid of
one eighth. Network, patch and batch are the same; the two alternate.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from spss.volumes import replace_atomically
from spss_apps.benchmarks.step_probe import Probe, ProbedTrainer, load_in_words
from spss_apps.benchmarks.training_jobs import DEFAULT_PAGE
from spss_apps.benchmarks.training_page import write_section

CHEAP_CONTRAST: dict[str, Any] = {
    "a4_few_unlabelled": False,  # it would take volumes out of the batch
    "contrast_pooling": 4,  # our decoder features are on half the patch's grid, theirs on an eighth
}
RELEASED = {**CHEAP_CONTRAST, "dense_contrast": True, "registration_steps": 20}

MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "spss": ("spss", {}),
    "spss with SC": ("spss", {"contrast_weight": 0.1}),
    "released, cheap SC, no registration": ("spss_reference", CHEAP_CONTRAST),
    "released recipe": ("spss_reference", RELEASED),
}
"""What is shown → method and constants."""

OURS, THEIRS = "spss", "released recipe"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py step_cost``."""
    parser.add_argument("--patch", nargs=3, type=int, default=[112, 112, 80], help="SPSS: LA's")
    parser.add_argument("--labelled", type=int, default=2)
    parser.add_argument("--unlabelled", type=int, default=2)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--page", type=Path, default=DEFAULT_PAGE)


def run(args: argparse.Namespace) -> int:
    """Measures, keeps the numbers as JSON, and writes the page."""
    import torch

    torch.set_num_threads(1)
    probes = probes_of(args)
    result = {
        "probe": asdict(probes[OURS]),
        "load": load_in_words(),
        "contrast_mb": _contrast_memory(),
    }
    text = ""
    for measured in alternating(probes, args.repeats):
        text = _keep(result | measured, args)  # after each turn: a long run may be cut off
    print(text)
    return 0


def _keep(result: dict[str, Any], args: argparse.Namespace) -> str:
    """Writes numbers and section after each measurement: a later one may not come to its end."""
    args.folder.mkdir(parents=True, exist_ok=True)
    with replace_atomically(args.folder / "step_cost.json") as unfinished:
        unfinished.write_text(json.dumps(result, indent=1), encoding="utf-8")
    text = report(result, _command(args))
    write_section(args.page, text, "step_cost")
    return text


def probes_of(args: argparse.Namespace) -> dict[str, Probe]:
    """All modes on the same batch and network."""
    first, second, third = args.patch
    common = Probe(
        method=OURS,
        patch=(first, second, third),
        labelled=args.labelled,
        unlabelled=args.unlabelled,
        classes=args.classes,
        precision=args.precision,
    )
    return {
        name: replace(common, method=method, constants=constants)
        for name, (method, constants) in MODES.items()
    }


def alternating(probes: dict[str, Probe], repeats: int) -> Iterator[dict[str, dict[str, Any]]]:
    """Steps of all modes in turn; the first turn warms up and measures memory.

    Yields:
        After each timed turn ``memory`` in GB and ``seconds``, a list of CPU seconds, of each mode.
    """
    from tqdm import tqdm

    trainers = {name: ProbedTrainer(probe) for name, probe in probes.items()}
    memory = {name: trainer.peak_gb() for name, trainer in trainers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in probes}
    for _ in tqdm(range(repeats), unit="turn"):
        for name, trainer in trainers.items():
            seconds[name].append(trainer.step())
        yield {"memory": memory, "seconds": seconds}


def report(result: dict[str, Any], command: str) -> str:
    """The section of the page."""
    probe = result["probe"]
    medians = {name: statistics.median(values) for name, values in result["seconds"].items()}
    linear, dense = result["contrast_mb"]["linear"], result["contrast_mb"]["dense"]
    repeats = len(result["seconds"][OURS])
    lines = [
        "## Cost of a training step",
        "",
        f"Patches of {' x '.join(map(str, probe['patch']))}, {probe['labelled']} labelled and "
        f"{probe['unlabelled']} unlabelled, {probe['classes']} classes, {probe['precision']}, the "
        f"planned network, one thread; {repeats} alternating steps in one process after one to "
        f"warm up ({result['load']}). CPU seconds of the trainer's whole step without making the "
        "patches; memory is the most that tensors made by a step take at once. The released "
        "recipe: 4 student passes with a gradient, 11 teacher passes, 20 registration steps, dense "
        "contrast on an eighth of the grid; its propagation slice by slice and its hole filling in "
        "each step are left out, which favours it.",
        "",
        f"```\n{command}\n```",
        "",
        "| step | median CPU s | range | times ours | memory GB |",
        "|---|---|---|---|---|",
    ]
    for name, values in result["seconds"].items():
        lines.append(
            f"| {name} | {medians[name]:.2f} | {min(values):.2f}-{max(values):.2f} "
            f"| {medians[name] / medians[OURS]:.1f} | {result['memory'][name]:.2f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"So the released recipe costs {medians[THEIRS] / medians[OURS]:.1f} times our step. "
            f"The contrastive loss alone, 7,840 voxels of 64 channels, forward and backward: "
            f"{linear:.1f} MiB in our form, {dense:.1f} MiB in the dense one "
            f"({dense / linear:.0f} times).",
        ]
    )


def _contrast_memory() -> dict[str, float]:
    from spss.contrast.memory import contrast_memory_mb

    return contrast_memory_mb()


def _command(args: argparse.Namespace) -> str:
    """What reproduces the section."""
    return (
        f"python apps/benchmark.py step_cost --patch {' '.join(map(str, args.patch))} "
        f"--labelled {args.labelled} --unlabelled {args.unlabelled} --classes {args.classes} "
        f"--precision {args.precision} --repeats {args.repeats}"
    )
