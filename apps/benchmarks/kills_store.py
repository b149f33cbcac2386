"""Writers on one studies folder, and what must hold of it after any of them was killed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Ledger, Plane
from spss.datasets.phantoms import make_phantoms
from spss.errors import NotReadyError
from spss.studies import AuditLog
from spss.types import ClassMap
from spss.volumes import read_grid, read_label, write_label
from spss_app.datastore.local import LocalFolder
from spss_app.datastore.names import FINAL, ORIGINAL
from spss_app.options import AppOptions
from spss_app.project import Project
from spss_app.studies import find_studies
from spss_app.submit.submitter import Submitter
from spss_app.task_classes import TaskClasses
from spss_apps.benchmarks.kills_child import Tell

SHAPE = (16, 18, 14)
IMAGES = 4
LABELS = ("front", "back")


@dataclass
class Store:
    """A studies folder opened as the server opens it, without the server."""

    project: Project
    submitter: Submitter


@dataclass
class Verdict:
    """What is wrong with a folder after a kill; all empty is right.

    Attributes:
        unreadable: parts that could not be opened or read.
        lost: acknowledged decisions that are not there, or not as they were.
        behind: final labels that differ from the ledger although they were brought up to it.
        torn: half-written files, which count for nothing but disk space.
    """

    unreadable: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    torn: int = 0


def make_studies(root: Path) -> Path:
    """A Decathlon folder of small phantoms."""
    make_phantoms(root, IMAGES, shape=SHAPE)
    return root


def open_store(root: Path) -> Store:
    """Opens the folder anew, as a server that starts."""
    options = AppOptions(labels=LABELS, method="masked", device="cpu")
    found = find_studies(str(root), options)
    assert found.images is not None
    store = LocalFolder(found.images, found.workspace)
    classes = TaskClasses(options.labels, root / "dataset.json", found.classes_file)
    project = Project(found, options, store, Ledger(found.ledger), classes)
    submitter = Submitter(
        store=store,
        ledger=project.ledger,
        classes=classes,
        drafts=project.drafts,
        served=project.served,
        volumes=project.volumes,
        rejected=found.own / "rejected",
    )
    store.on_submit = lambda image_id, file, params: (
        submitter.submit(image_id, file, params) and None
    )
    return Store(project, submitter)


def write_without_end(root: Path, seed: int, tell: Tell) -> None:
    """Submits, restores, saves drafts and removes labels until somebody stops it.

    Each submit is told when it is acknowledged, as the server acknowledges it: after the ledger,
    the final label, the index and the audit log were written.
    """
    rng = np.random.default_rng(seed)
    store = open_store(root)
    images = store.project.store.list_images()
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        tell({"ready": True})
        while True:
            image_id = str(rng.choice(images))
            action = rng.choice(["submit", "draft", "restore", "remove"], p=[0.7, 0.15, 0.1, 0.05])
            tell({"begun": str(action)})
            if action == "submit":
                tell(_submit(store, image_id, Path(folder), rng))
            elif action == "draft":
                file = _label_file(store, image_id, Path(folder), _random_label(rng))
                store.project.store.save_label(image_id, str(file), ORIGINAL, {})
            elif action == "restore":
                known = store.project.ledger.history(image_id)
                if known:
                    store.project.ledger.restore(image_id, known[rng.integers(len(known))].id)
                    store.submitter.republish(image_id)
            else:
                store.project.store.drop_label(image_id, ORIGINAL)
            tell({"done": str(action)})


def check(root: Path, acknowledged: list[dict[str, Any]]) -> Verdict:
    """Opens the folder after a kill and compares it with what was acknowledged."""
    verdict = Verdict()
    try:
        store = open_store(root)
        images = store.project.store.list_images()
        if len(images) != IMAGES:
            verdict.unreadable.append(f"the index has {len(images)} of {IMAGES} images")
        broken = list(root.glob("datastore_v2.json.broken-*"))
        verdict.unreadable += [f"{path.name} had to be set aside" for path in broken]
        store.submitter.republish_stale()
    except Exception as error:
        verdict.unreadable.append(f"{type(error).__name__}: {error}")
        return verdict
    for problem in store.project.ledger.problems():
        if "no committed entry" in problem.reason:
            verdict.torn += 1
        else:
            verdict.unreadable.append(f"{problem.path.name}: {problem.reason}")
    _check_submits(store, acknowledged, verdict)
    _check_final_labels(store, verdict)
    for line in AuditLog(store.project.studies.audit_file).problems():
        if "torn" in line.reason:
            verdict.torn += 1
        else:
            verdict.unreadable.append(f"audit line {line.line} {line.reason}")
    return verdict


def _submit(store: Store, image_id: str, folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    plane = Plane(int(axis := rng.integers(3)), int(rng.integers(SHAPE[axis])))
    label = _random_label(rng)
    file = _label_file(store, image_id, folder, label)
    params = {"annotated_planes": [{"axis": plane.axis, "index": plane.index}]}
    store.project.store.save_label(image_id, str(file), FINAL, params)
    entry = store.project.ledger.history(image_id)[-1]
    values = "".join(map(str, label[plane.slices].ravel().tolist()))
    return {
        "image": image_id,
        "entry": entry.id,
        "axis": plane.axis,
        "index": plane.index,
        "values": values,
    }


def _random_label(rng: np.random.Generator) -> ClassMap:
    return rng.integers(0, len(LABELS) + 1, SHAPE).astype(np.uint8)


def _label_file(store: Store, image_id: str, folder: Path, label: ClassMap) -> Path:
    file = folder / "label.nii.gz"
    write_label(file, label, like=read_grid(store.project.store.get_image_uri(image_id)))
    return file


def _check_submits(store: Store, acknowledged: list[dict[str, Any]], verdict: Verdict) -> None:
    """Every acknowledged plane is in the history, bit by bit."""
    ledger, names = store.project.ledger, store.project.classes.names
    entries = {
        (image_id, entry.id): entry
        for image_id in ledger.image_ids()
        for entry in ledger.history(image_id)
    }
    for fact in acknowledged:
        entry = entries.get((fact["image"], fact["entry"]))
        plane = Plane(fact["axis"], fact["index"])
        if entry is None or plane not in entry.planes:
            verdict.lost.append(f"{fact['entry']} is gone")
            continue
        digest = entry.plane_sha256[entry.planes.index(plane)]
        if digest != _digest_of(fact["values"]) or entry.class_names != names:
            verdict.lost.append(f"{fact['entry']} is another drawing")


def _digest_of(values: str) -> str:
    import hashlib

    return hashlib.sha256(bytes(int(value) for value in values)).hexdigest()


def _check_final_labels(store: Store, verdict: Verdict) -> None:
    """What other clients read is what the ledger says."""
    names = store.project.classes.names
    for image_id in store.project.ledger.image_ids():
        path = store.project.store.get_label_uri(image_id, FINAL)
        try:
            wanted = store.project.ledger.sparse_label(image_id, names).classes
        except NotReadyError:
            wanted = None
        if (wanted is None) != (not path):
            verdict.behind.append(f"{image_id}: final label {'there' if path else 'absent'}")
        elif wanted is not None and (read_label(path) != wanted).any():
            verdict.behind.append(f"{image_id}: final label is not the ledger's state")
