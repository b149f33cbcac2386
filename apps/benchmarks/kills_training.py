"""Trainings that are killed while they prepare, train, publish or score, and go on afterwards."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from spss.errors import SpssError
from spss.volumes import read_grid, write_label
from spss_app.datastore.names import FINAL
from spss_app.train.spss import SpssTraining
from spss_apps.benchmarks.kills_child import Tell
from spss_apps.benchmarks.kills_store import SHAPE, Store, Verdict, open_store

REQUEST = {"method": "masked", "iterations": 40, "device": "cpu", "seed": 1, "resume": True}


def draw_planes(root: Path) -> None:
    """Gives each image one plane to learn from."""
    store = open_store(root)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for image_id in store.project.store.list_images():
            label = rng.integers(0, 3, SHAPE).astype(np.uint8)
            file = Path(folder) / "label.nii.gz"
            write_label(file, label, like=read_grid(store.project.store.get_image_uri(image_id)))
            params = {"annotated_planes": [{"axis": 2, "index": 7}]}
            store.project.store.save_label(image_id, str(file), FINAL, params)


def train_once(root: Path, tell: Tell) -> None:
    """What the server's training process does: prepare, train, judge, publish, score."""
    store = open_store(root)
    tell({"ready": True})
    training = SpssTraining(store.project)
    training(dict(REQUEST))
    tell({"outcome": str(training.stats().get("outcome"))})


def check_models(root: Path, verdict: Verdict) -> str:
    """The published network answers, or there is none yet; returns its version."""
    store = open_store(root)
    models = store.project.models
    try:
        pointer = models.root / "published.json"
        if pointer.is_file() and models.published() is None:
            verdict.unreadable.append("the published network is not there")
        model = models.published()
        if model is None:
            return ""
        _predict(store, model.version)
        return model.version
    except (SpssError, OSError, ValueError) as error:
        verdict.unreadable.append(f"network: {type(error).__name__}: {error}")
        return ""


def check_notes(root: Path, verdict: Verdict) -> None:
    """No note (scores, status) is half written."""
    own = open_store(root).project.studies.own
    for path in [*own.rglob("*.json")]:
        if path.name.startswith(".") or "training" in path.parts:
            continue
        try:
            json.loads(path.read_bytes())
        except ValueError:
            verdict.unreadable.append(f"{path.name} is no JSON")


def _predict(store: Store, version: str) -> None:
    model = store.project.models.published()
    assert model is not None
    assert model.version == version
    image_id = store.project.store.list_images()[0]
    volume = store.project.volume(image_id)
    store.project.predicting.predict(model, volume, store.project.classes.names)
