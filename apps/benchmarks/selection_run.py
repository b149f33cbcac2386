"""One training with a look at what SU would select in unlabelled volumes after every few rounds.

Their truth is read here and only here: the training sees the images alone.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spss.datasets import Dataset, load_label_of, make_budget, open_decathlon, split
from spss.methods.constants import make_config
from spss.methods.spss import Spss
from spss.methods.spss_config import SpssConfig
from spss.selfpaced import entropy, select_class_blind
from spss.training import TrainingCase, train
from spss.training.augmentation import AugmentationConfig
from spss.training.case import PreparedCase
from spss.training.checkpoint import read_checkpoint
from spss.training.job import CHECKPOINT
from spss.training.patches import PatchCutter
from spss.training.prepare import prepare_cases
from spss.training.settings import TrainingSettings
from spss_apps.benchmarks.training_run import Run, code_digest, main, training_cases

VOLUMES = 12
"""Unlabelled volumes that are looked at; three batches."""

BATCH = 4
EVERY = 5
"""Rounds between two looks (a training has fifty)."""

_PLAIN = AugmentationConfig(spatial=0.0, intensity=0.0, shift=0.0)


def measure(run: Run, folder: Path) -> dict[str, Any]:
    """Trains, and counts what each rule selects at each look."""
    code = code_digest()
    dataset = open_decathlon(run.data)
    annotations = make_budget(dataset, run.budget, run.axis, run.seed)
    names = unlabelled_names(dataset, set(annotations), run.seed)
    out = folder / "models" / run.name
    looks: list[dict[str, Any]] = []
    observer = Observer(dataset, names, folder / "cache")

    def look(progress: dict[str, Any]) -> None:
        """Counts what each rule selects, every so many epochs and at the end."""
        last = progress["epoch"] == progress["total_epochs"]
        if progress["epoch"] and (progress["epoch"] % EVERY == 0 or last):
            done = progress["epoch"] / progress["total_epochs"]
            counts = observer.count(out / CHECKPOINT, done)
            looks.append({"iteration": progress["iteration"], "fraction": done, "rules": counts})

    train(
        training_cases(dataset, annotations),
        dataset.class_names,
        out=out,
        method=run.method,
        method_config=make_config(run.method, run.constants),
        iterations=run.iterations,
        minutes=run.minutes,
        seed=run.seed,
        device="cpu",
        cache=folder / "cache",
        on_progress=look,
    )
    return {"run": asdict(run), "code": code, "volumes": list(names), "looks": looks}


def unlabelled_names(dataset: Dataset, annotated: set[str], seed: int) -> tuple[str, ...]:
    """Some training volumes that the budget leaves without a label, though they have one."""
    names = [
        name
        for name in split(dataset)["train"]
        if name not in annotated and dataset.case(name).label is not None
    ]
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    return tuple(names[place] for place in order[:VOLUMES])


class Observer:
    """Knows the truth of some volumes, and asks every rule what it would select there.

    Args:
        dataset: with labels.
        names: volumes to look at.
        cache: folder of prepared volumes.
    """

    def __init__(self, dataset: Dataset, names: tuple[str, ...], cache: Path) -> None:
        dense = dict.fromkeys(names, "dense")
        self._class_count = len(dataset.class_names)
        self._cases = [
            TrainingCase(
                case.name, case.image, load_label_of(case, dense, class_count=self._class_count)
            )
            for case in map(dataset.case, names)
        ]
        self._cache = cache
        self._prepared: list[PreparedCase] = []

    @torch.no_grad()
    def count(self, checkpoint: Path, fraction: float) -> dict[str, dict[str, int]]:
        """Voxel counts of each rule, over all volumes, with the teacher of a checkpoint.

        Returns:
            Rule → ``selected`` voxels, those of them the teacher classifies ``right``, those that
            are ``foreground`` in truth, and foreground that is right.
        """
        cpu = torch.device("cpu")
        state = read_checkpoint(checkpoint, cpu)
        settings = TrainingSettings.from_json(state["settings"])
        teacher = settings.make_network(cpu)
        teacher.load_state_dict(state["teacher"])
        teacher.eval()
        patches = self._patches(settings)
        counts: dict[str, dict[str, int]] = {}
        for start in range(0, len(patches), BATCH):
            chosen = patches[start : start + BATCH]
            image, truth, valid = (
                torch.stack([patch[key] for patch in chosen]) for key in ("image", "truth", "valid")
            )
            probabilities = teacher(image).float().softmax(1)
            masks = rules(probabilities, valid, fraction, len(settings.classes))
            for rule, mask in masks.items():
                found = tally(mask & valid, probabilities.argmax(1), truth)
                old = counts.setdefault(rule, dict.fromkeys(found, 0))
                counts[rule] = {key: old[key] + value for key, value in found.items()}
        return counts

    def _patches(self, settings: TrainingSettings) -> list[dict[str, Tensor]]:
        """One patch a volume, placed as an unlabelled one, unchanged; the same at every look."""
        if not self._prepared:
            self._prepared = prepare_cases(
                self._cases,
                settings.plan,
                settings.classes,
                class_count=self._class_count,
                with_pseudo_label=False,
                cache=self._cache,
            ).cases
        cpu = torch.device("cpu")
        cutter = PatchCutter(settings.plan, len(settings.classes), cpu, _PLAIN)
        # without annotated voxels the patch is not drawn to the organ; its truth stays
        hidden = [replace(case, annotated=case.annotated[:0]) for case in self._prepared]
        return [cutter.cut(case, seed) for seed, case in enumerate(hidden)]


def rules(
    probabilities: Tensor, valid: Tensor, fraction: float, class_count: int
) -> dict[str, Tensor]:
    """What SU selects at this age, ``(B, X, Y, Z)`` bool, by each rule.

    ``class-blind`` ranks the whole batch at our rate; ``published`` takes that rate of one volume
    from the whole batch, as the released code does.
    """
    masks = {"all voxels": valid}
    for name, blind in (("class-wise", False), ("class-blind", True)):
        method = Spss(SpssConfig(class_blind=blind), class_count=class_count, device=valid.device)
        masks[name] = method._select(probabilities, valid, fraction)
    rate = float(masks["class-blind"].sum()) / max(int(valid.sum()), 1)
    masks["published"] = select_class_blind(entropy(probabilities), min(rate, 1.0)) & valid
    return masks


def tally(mask: Tensor, predicted: Tensor, truth: Tensor) -> dict[str, int]:
    """Counts of the voxels in ``mask``, all ``(B, X, Y, Z)``."""
    right, foreground = mask & (predicted == truth), mask & (truth > 0)
    return {
        "selected": int(mask.sum()),
        "right": int(right.sum()),
        "foreground": int(foreground.sum()),
        "foreground_right": int((foreground & right).sum()),
    }


if __name__ == "__main__":
    sys.exit(main(measure, __doc__))
