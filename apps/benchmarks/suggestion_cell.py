"""One cell of the benchmark: one strategy, one seed, one set, all rounds of simulated drawing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Plane
from spss.datasets import Annotations, Dataset, make_budget, split
from spss.suggestion import ImageState, PlaneScores, Suggestion, suggest, summarise_organ
from spss.suggestion.contour import contour_mm
from spss.volumes import read_grid, read_image, read_label, replace_atomically
from spss_apps.benchmarks.suggestion_data import small_dataset
from spss_apps.benchmarks.suggestion_model import Document, Recipe, Rounds, read_note
from spss_apps.benchmarks.suggestion_oracle import Worth, best_planes, label_worth

SANITY = {"random_scores": "self_paced", "oracle": "self_paced"}
"""Planted scores → the strategy that ranks by them."""

BEST_LABEL = "best_label"
"""The oracle of labels: it knows from which planes propagation goes well."""

BEST_OUTCOME = "best_outcome"
"""The oracle of outcomes: it tries what each of `TRIED` asks for and keeps what tests best."""

TRIED = ("self_paced", "foreground_random", "strided")
"""Strategies that the oracle of outcomes chooses among, round by round."""

BLIND = ("random",)
"""Strategies that look neither at scores nor at organs: no volume need be scored for them."""


@dataclass(frozen=True)
class Cell:
    """What distinguishes one cell from another.

    Attributes:
        data: Decathlon folder.
        strategy: name in `spss.suggestion.STRATEGIES`, ``random_scores``, ``oracle``,
            ``best_label`` or ``best_outcome``.
        seed: of the first planes, the strategy and the trainings.
        planes: planes drawn at the end.
        per_round: planes drawn in each round, the first one included.
        axis: voxel axis of all planes.
        iterations: training steps a round, from new weights.
        method: name in `spss.methods.METHODS`.
    """

    data: str
    strategy: str
    seed: int
    planes: int = 20
    per_round: int = 5
    axis: int = 0
    iterations: int = 300
    method: str = "pseudo"

    @property
    def name(self) -> str:
        """Unique among cells; a file name."""
        rounds = f"{self.planes}by{self.per_round}"
        kind = f"{self.method}-{self.iterations}it"
        return f"{Path(self.data).name}-{self.strategy}-{rounds}-{kind}-seed{self.seed}"

    @property
    def recipe(self) -> Recipe:
        """Of every round's training."""
        return Recipe(self.iterations, self.method, self.seed)


def run_cell(cell: Cell, folder: Path) -> Document:
    """Draws, trains and measures round after round; what is there already is not done again."""
    path = folder / f"{cell.name}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    dataset = small_dataset(Path(cell.data), folder / "data")
    rounds = _rounds(cell, dataset, folder)
    worth = _worth(cell, dataset, folder) if cell.strategy == BEST_LABEL else {}
    start = time.process_time()
    annotations = make_budget(dataset, f"1x{cell.per_round}", cell.axis, cell.seed)
    steps = []
    while True:
        dice = rounds.test_dice(annotations, cell.recipe)
        steps.append(_step(dataset, annotations, dice))
        if steps[-1]["planes"] >= cell.planes:
            break
        annotations = _with_more(dataset, cell, annotations, rounds, worth)
    document = {
        "cell": asdict(cell),
        "rounds": steps,
        "cpu_seconds": time.process_time() - start,
        "test_cases": len(split(dataset)["test"]),
    }
    with replace_atomically(path) as unfinished:
        unfinished.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return document


def run_budget(cell: Cell, budget: str, folder: Path) -> float:
    """Mean test Dice of one training on a whole budget, such as ``full`` or ``1x20``."""
    dataset = small_dataset(Path(cell.data), folder / "data")
    annotations = make_budget(dataset, budget, cell.axis, cell.seed)
    dice = _rounds(cell, dataset, folder).test_dice(annotations, cell.recipe)
    return float(np.nanmean(list(dice.values())))


def _rounds(cell: Cell, dataset: Dataset, folder: Path) -> Rounds:
    return Rounds(dataset, folder / "rounds" / Path(cell.data).name)


def _worth(cell: Cell, dataset: Dataset, folder: Path) -> Worth:
    name = f"{Path(cell.data).name}-axis{cell.axis}.json"
    return label_worth(dataset, cell.axis, folder / "worth" / name)


def _with_more(
    dataset: Dataset, cell: Cell, annotations: Annotations, rounds: Rounds, worth: Worth
) -> Annotations:
    """The planes so far and those that the strategy asks for next."""
    if cell.strategy == BEST_OUTCOME:
        return _best_outcome(dataset, cell, annotations, rounds)
    if cell.strategy == BEST_LABEL:
        rounds.forget_weights(annotations, cell.recipe)
        found = best_planes(worth, annotations, axis=cell.axis, count=cell.per_round)
    else:
        found = _asked(dataset, cell, annotations, rounds)
    more = dict(annotations)
    for suggestion in found:
        planes: Any = more.get(suggestion.image_id, ())
        more[suggestion.image_id] = tuple(sorted({*planes, suggestion.plane}))
    return more


def _best_outcome(
    dataset: Dataset, cell: Cell, annotations: Annotations, rounds: Rounds
) -> Annotations:
    """The batch whose network reads the test volumes best: foresight no strategy can have."""
    tried = [
        _with_more(dataset, replace(cell, strategy=strategy), annotations, rounds, {})
        for strategy in TRIED
    ]
    dice = [np.nanmean(list(rounds.test_dice(each, cell.recipe).values())) for each in tried]
    best = tried[int(np.argmax(dice))]
    for each in tried:
        if each != best:
            rounds.forget_weights(each, cell.recipe)
    return best


def _asked(
    dataset: Dataset, cell: Cell, annotations: Annotations, rounds: Rounds
) -> list[Suggestion]:
    """What the strategy asks for, scores planted for the sanity runs."""
    rng = np.random.default_rng([cell.seed, sum(map(len, annotations.values()))])
    notes = {} if cell.strategy in BLIND else rounds.notes(annotations, cell.recipe)
    names = split(dataset)["train"]
    states = [_state(dataset, name, annotations, notes.get(name)) for name in names]
    if cell.strategy in SANITY:
        states = [_planted(state, cell.strategy, notes, rng) for state in states]
    rounds.forget_weights(annotations, cell.recipe)
    return suggest(
        states,
        strategy=SANITY.get(cell.strategy, cell.strategy),
        axis=cell.axis,
        rng=rng,
        count=cell.per_round,
        class_names=dataset.class_names,
    )


def _state(
    dataset: Dataset, name: str, annotations: Annotations, note: Document | None
) -> ImageState:
    """What the strategies may know of a volume: planes, their drawn voxels, and scores."""
    grid = read_grid(dataset.case(name).image)
    scored, organ = (None, None) if note is None else read_note(note)
    planes: Any = annotations.get(name, ())
    if planes:
        truth = read_label(dataset.case(name).label, like=grid)  # type: ignore[arg-type]
        drawn = np.zeros_like(truth)
        for plane in planes:
            drawn[plane.slices] = truth[plane.slices]
        # the planes themselves: a draft would need a propagation for each round and volume
        organ = organ or summarise_organ(drawn, spacing_mm=grid.spacing_mm)
    return ImageState(
        image_id=name,
        shape=grid.shape,
        spacing_mm=grid.spacing_mm,
        affine=grid.affine,
        planes=planes,
        scores=None if scored is None else scored.scores,
        organ=organ,
        features=None if scored is None else scored.features,
    )


def _planted(state: ImageState, kind: str, notes: Any, rng: np.random.Generator) -> ImageState:
    """The same volume with other scores: by lot, or the gain by true errors and true shapes."""
    assert state.scores is not None  # every training volume is scored
    axes = []
    for axis, scores in enumerate(state.scores.axes):
        if kind == "oracle":
            values = np.asarray(notes[state.image_id]["gain"][axis], np.float32)
        else:
            values = rng.random(len(scores.score)).astype(np.float32)
        zeros = np.zeros_like(values)
        axes.append(
            replace(
                scores,
                score=values,
                gain=values,
                contour_mm=zeros,
                least_certain=np.zeros(len(values), np.uint8),
            )
        )
    planted = PlaneScores(tuple(axes))  # type: ignore[arg-type]
    return replace(state, scores=planted, features=None)


def _step(dataset: Dataset, annotations: Annotations, dice: Any) -> Document:
    """One round as the tables need it: planes, what they cost to draw, and test Dice."""
    values = np.asarray(list(dice.values()), float)
    cost = [_cost(dataset, name, entry) for name, entry in annotations.items()]
    planes = [plane for volume in cost for plane in volume]
    return {
        "planes": len(planes),
        "volumes": len(annotations),
        "dice": float(np.nanmean(values)),
        "p5": float(np.nanpercentile(values, 5)),
        "cases": dice,
        "foreground_voxels": int(sum(foreground for foreground, _ in planes)),
        "contour_mm": float(sum(length for _, length in planes)),
        "empty_planes": sum(foreground == 0 for foreground, _ in planes),
    }


def _cost(dataset: Dataset, name: str, entry: Any) -> list[tuple[int, float]]:
    """Foreground voxels and contour length of each drawn plane."""
    case = dataset.case(name)
    volume = read_image(case.image)
    truth = read_label(case.label, like=volume)  # type: ignore[arg-type]
    lengths = contour_mm(truth, volume.spacing_mm)
    planes: Sequence[Plane] = entry
    return [
        (int((truth[plane.slices] > 0).sum()), float(lengths[plane.axis][plane.index]))
        for plane in planes
    ]
