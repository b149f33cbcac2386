"""One round's network, its test scores and its planes' scores: made once, kept by its planes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Plane
from spss.datasets import Annotations, Dataset, load_label_of, split
from spss.suggestion import OrganSummary, ScoreNote
from spss.suggestion.gain import expected_gain
from spss.suggestion.score_image import score_image
from spss.types import ClassMap
from spss.volumes import read_image, read_label, replace_atomically
from spss_apps.measuring import dice_of

Document = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How each round's network is trained; the same for all strategies.

    Attributes:
        iterations: steps, from new weights each round.
        method: name in `spss.methods.METHODS`.
        seed: of weights, batches and noise.
    """

    iterations: int
    method: str
    seed: int


@dataclass(frozen=True)
class Rounds:
    """Networks of one benchmark folder.

    Strategies that happen to have drawn the same planes, such as all of them in the first round,
    share a network: it would be the same one.
    """

    dataset: Dataset
    folder: Path

    def test_dice(self, annotations: Annotations, recipe: Recipe) -> Mapping[str, float]:
        """Test case → mean Dice over classes, of the network trained on these planes."""
        folder = self._folder(annotations, recipe)
        return _remembered(folder / "test.json", lambda: self._test(folder, annotations, recipe))

    def notes(self, annotations: Annotations, recipe: Recipe) -> Mapping[str, Document]:
        """Training case → ``note``, ``organ``, true ``error`` and ``gain`` per axis and plane."""
        folder = self._folder(annotations, recipe)
        return _remembered(folder / "notes.json", lambda: self._score(folder, annotations, recipe))

    def forget_weights(self, annotations: Annotations, recipe: Recipe) -> None:
        """Deletes the network once nothing is asked of it any more."""
        shutil.rmtree(self._folder(annotations, recipe) / "model", ignore_errors=True)

    def _folder(self, annotations: Annotations, recipe: Recipe) -> Path:
        """Named by planes and recipe: the same network for all that drew the same planes."""
        planes = {
            n: e if e == "dense" else [[p.axis, p.index] for p in e]
            for n, e in sorted(annotations.items())
        }
        text = json.dumps([planes, recipe.iterations, recipe.method, recipe.seed])
        return self.folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    def _predictor(self, folder: Path, annotations: Annotations, recipe: Recipe) -> Any:
        """The network of these planes, trained where it is not there yet."""
        from spss.inference import Predictor
        from spss.training import TrainingCase, train

        out = folder / "model"
        if not (out / "model.pt").is_file():
            count = len(self.dataset.class_names)
            cases = []
            for name in sorted(annotations):
                case = self.dataset.case(name)
                label = load_label_of(case, annotations, class_count=count)
                cases.append(TrainingCase(name, case.image, label))
            train(
                cases,
                self.dataset.class_names,
                out=out,
                method=recipe.method,
                iterations=recipe.iterations,
                seed=recipe.seed,
                device="cpu",
                memory_gb=1.0,  # not what happens to be free: the plan must not differ
                precision="float32",
            )
        return Predictor.load(out, device="cpu", memory_gb=1.0)

    def _test(self, folder: Path, annotations: Annotations, recipe: Recipe) -> Document:
        """Dice of each test volume."""
        predictor = self._predictor(folder, annotations, recipe)
        dice = {}
        for name in split(self.dataset)["test"]:
            volume, truth = self._read(name)
            predicted = predictor.predict(volume).classes
            dice[name] = dice_of(predicted, truth, len(self.dataset.class_names))
        return dice

    def _score(self, folder: Path, annotations: Annotations, recipe: Recipe) -> Document:
        """Scores of all planes that could be drawn next, and their true errors."""
        predictor = self._predictor(folder, annotations, recipe)
        names = self.dataset.class_names
        notes = {}
        for name in split(self.dataset)["train"]:
            volume, truth = self._read(name)
            prediction = predictor.predict(volume, uncertainty=True)
            note, organ = score_image(
                predictor, volume, model=folder.name, class_names=names, prediction=prediction
            )
            errors = plane_errors(prediction.classes, truth, len(names))
            notes[name] = {
                "note": note.to_json(),
                "organ": None if organ is None else organ.to_json(),
                "error": errors,
                "gain": true_gain(truth, errors, len(names)),
            }
        return notes

    def _read(self, name: str) -> tuple[Any, ClassMap]:
        case = self.dataset.case(name)
        volume = read_image(case.image)
        assert case.label is not None  # the small set has labelled cases only
        return volume, read_label(case.label, like=volume)


def plane_errors(predicted: ClassMap, truth: ClassMap, count: int) -> list[list[float | None]]:
    """By axis and plane: 1 - mean Dice of the classes on it; None where there is no foreground."""
    return [
        [
            None if np.isnan(dice) else round(1 - dice, 4)
            for dice in _dice_along(predicted, truth, count, axis)
        ]
        for axis in range(3)
    ]


def true_gain(truth: ClassMap, errors: list[list[float | None]], count: int) -> list[list[float]]:
    """`expected_gain` of somebody who knows the truth: what the oracle ranks by."""
    known = [np.asarray([error or 0.0 for error in axis], np.float32) for axis in errors]
    return [axis.round(4).tolist() for axis in expected_gain(truth, known, class_count=count)]


def _dice_along(predicted: ClassMap, truth: ClassMap, count: int, axis: int) -> list[float]:
    planes = [Plane(axis, index).slices for index in range(truth.shape[axis])]
    return [dice_of(predicted[plane], truth[plane], count) for plane in planes]


def read_note(document: Document) -> tuple[ScoreNote, OrganSummary | None]:
    """The tables of one volume, from what `Rounds.notes` gives."""
    organ = document["organ"]
    summary = None if organ is None else OrganSummary.from_json(organ)
    return ScoreNote.from_json(document["note"]), summary


def _remembered(path: Path, make: Any) -> Document:
    """Made once; strategies that ask for the same planes share it."""
    if not path.is_file():
        document = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_atomically(path) as unfinished:
            unfinished.write_text(json.dumps(document), encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))
