"""An oracle of labels: which planes would carry best, by the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.datasets import Annotations, Dataset, split
from spss.propagation import UNFITTED_END_RULE, propagate
from spss.suggestion import Suggestion
from spss.volumes import read_image, read_label, replace_atomically
from spss_apps.measuring import dice_of

Worth = Mapping[str, list[float]]
"""Training case → by plane: Dice of the whole volume, carried from this plane alone."""


def label_worth(dataset: Dataset, axis: int, path: Path) -> Worth:
    """What training would get from each plane; kept in ``path``.

    Args:
        dataset: labelled throughout.
        axis: of the planes.
        path: JSON file, read where it is there already.
    """
    if not path.is_file():
        worth = {name: _worth_of(dataset, name, axis) for name in split(dataset)["train"]}
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_atomically(path) as unfinished:
            unfinished.write_text(json.dumps(worth), encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def best_planes(
    worth: Worth, annotations: Annotations, *, axis: int, count: int
) -> list[Suggestion]:
    """The planes that carry best, each in a volume nothing is drawn in yet."""
    best = {
        name: int(np.argmax(values)) for name, values in worth.items() if name not in annotations
    }
    order = sorted(best, key=lambda name: -worth[name][best[name]])
    return [
        Suggestion(name, Plane(axis, best[name]), worth[name][best[name]], "carries best")
        for name in order[:count]
    ]


def _worth_of(dataset: Dataset, name: str, axis: int) -> list[float]:
    """0 for planes without foreground, which carry nothing."""
    case = dataset.case(name)
    volume = read_image(case.image)
    assert case.label is not None  # the small set has labelled cases only
    truth = read_label(case.label, like=volume)
    count = len(dataset.class_names)
    worth = []
    for index in range(truth.shape[axis]):
        plane = Plane(axis, index)
        if not truth[plane.slices].any():
            worth.append(0.0)
            continue
        carried = propagate(
            volume.data,
            SparseLabel.from_planes(truth, [plane]),
            spacing_mm=volume.spacing_mm,
            class_count=count,
            end_rule=UNFITTED_END_RULE,
        )
        worth.append(round(dice_of(carried.classes, truth, count), 4))
    return worth
