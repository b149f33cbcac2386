"""How well a trained model's plane scores see its errors, on test volumes at full resolution."""

from __future__ import annotations

from pathlib import Path

from spss.datasets import open_decathlon, split
from spss.inference import Predictor
from spss.suggestion.score_image import score_image
from spss.volumes import read_image, read_label
from spss_apps.benchmarks.suggestion_model import Document, plane_errors

SIGHT_VOLUMES = 20
"""Test volumes a model is asked about: some hundred planes along each axis."""


def model_notes(data: Path, model: Path, *, volumes: int) -> dict[str, Document]:
    """Test volume → ``note`` and true ``error``, as `suggestion_error.measure_sight` reads them.

    Args:
        data: Decathlon folder with labels.
        model: folder written by a training on other volumes of it.
        volumes: at most so many, evenly spread over the test split.
    """
    dataset = open_decathlon(data)
    names = split(dataset)["test"]
    predictor = Predictor.load(model, device="cpu")
    count = len(dataset.class_names)
    notes = {}
    for name in names[:: max(1, len(names) // volumes)][:volumes]:
        case = dataset.case(name)
        volume = read_image(case.image)
        assert case.label is not None  # the benchmark's sets are labelled throughout
        truth = read_label(case.label, like=volume)
        prediction = predictor.predict(volume, uncertainty=True)
        note, _ = score_image(
            predictor,
            volume,
            model=model.name,
            class_names=dataset.class_names,
            prediction=prediction,
        )
        errors = plane_errors(prediction.classes, truth, count)
        notes[name] = {"note": note.to_json(), "error": errors}
    return notes
