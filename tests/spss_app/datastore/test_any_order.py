"""Whatever is done in whatever order, through two apps on one folder: the datastore and the ledger
hold what a model of a few lines holds."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from fastapi import HTTPException
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spss.annotation import Plane
from spss.errors import NotReadyError
from spss.studies import AuditLog
from spss.types import UNDECIDED
from spss.volumes import Grid, read_label, write_label, write_map
from spss_app.app import SpssApp
from spss_app.versions import restore

NAMES = ("background", "front", "back")
GRID = Grid((6, 7, 5), np.diag([0.8, 1.2, 2.0, 1.0]), "image")
IDS = ("case.1", "Ü 2")

ids = st.sampled_from(IDS)
apps = st.integers(0, 1)
seeds = st.integers(0, 3)
planes = st.integers(0, 2).flatmap(
    lambda axis: st.builds(Plane, st.just(axis), st.integers(0, GRID.shape[axis] - 1))
)


@dataclass
class Known:
    """What the model knows of an id: its file, its plain labels, and every state there was."""

    content: int | None = None
    labels: dict = field(default_factory=dict)
    has_final: bool = False
    state: np.ndarray = field(default_factory=lambda: np.full(GRID.shape, UNDECIDED, np.uint8))
    after: dict = field(default_factory=dict)


def _drawing(seed):
    return np.random.default_rng(seed).integers(0, 3, GRID.shape).astype(np.uint8)


class AnyOrder(RuleBasedStateMachine):
    """Two apps on one folder, and the model."""

    def __init__(self):
        super().__init__()
        memory = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.studies = self.root / "studies"
        for folder in ("studies", "app", "sent"):
            (self.root / folder).mkdir()
        self.model = {image_id: Known() for image_id in IDS}

    def teardown(self):
        shutil.rmtree(self.root)

    @initialize()
    def start(self):
        self.apps = [self._open(), self._open()]
        for image_id in IDS:  # steps that only fill an empty folder find little
            self._add(0, image_id, seed=0)
            self._submit(0, image_id, seed=0, drawn=[Plane(2, 2)], voxels=False)

    def _open(self):
        conf = {"labels": "front,back"}
        return SpssApp(str(self.root / "app"), str(self.studies), conf)

    def _here(self):
        return [image_id for image_id in IDS if self.model[image_id].content is not None]

    def _send(self, number, image_id, label, tag, **info):
        file = self.root / "sent" / "label.nii.gz"
        write_label(file, label, like=GRID)
        return self.apps[number].datastore().save_label(image_id, str(file), tag, info)

    @rule(number=apps, image_id=ids, seed=seeds)
    def add(self, number, image_id, seed):
        self._add(number, image_id, seed)

    def _add(self, number, image_id, seed):
        file = self.root / "sent" / "tmp.nii.gz"
        values = np.random.default_rng(seed).normal(size=GRID.shape).astype(np.float32)
        write_map(file, values, like=GRID)
        known = self.model[image_id]
        if known.content not in (None, seed):
            with pytest.raises(HTTPException, match="another image"):
                self.apps[number].datastore().add_image(image_id, str(file), {})
            return
        assert self.apps[number].datastore().add_image(image_id, str(file), {}) == image_id
        known.content = seed

    @rule(number=apps, image_id=ids)
    def remove(self, number, image_id):
        known = self.model[image_id]
        if known.content is None:
            with pytest.raises(HTTPException):
                self.apps[number].datastore().remove_image(image_id)
            return
        self.apps[number].datastore().remove_image(image_id)
        known.content, known.labels, known.has_final = None, {}, False

    @rule(
        number=apps,
        image_id=ids,
        seed=seeds,
        drawn=st.lists(planes, max_size=2),
        voxels=st.booleans(),
    )
    def submit(self, number, image_id, seed, drawn, voxels):
        self._submit(number, image_id, seed, drawn, voxels)

    def _submit(self, number, image_id, seed, drawn, voxels):
        known, label = self.model[image_id], _drawing(seed)
        decided = np.ones(GRID.shape, bool)
        if drawn:
            decided[:] = False
            for plane in drawn:
                decided[plane.slices] = True
            what = [{"axis": plane.axis, "index": plane.index} for plane in drawn]
        elif voxels:
            decided = label == 1
            label = np.where(decided, label, UNDECIDED).astype(np.uint8)
            what = "voxels"
        else:
            what = "dense"
        if known.content is None:
            with pytest.raises(HTTPException):
                self._send(number, image_id, label, "final", annotated_planes=what)
            return
        self._send(number, image_id, label, "final", annotated_planes=what)
        known.state = np.where(decided, label, known.state)
        known.has_final = True
        self._remember(image_id)

    def _remember(self, image_id):
        newest = self.apps[0].project.ledger.history(image_id)[-1].id
        known = self.model[image_id]
        known.after.setdefault(newest, known.state)

    @precondition(lambda self: self._here())
    @rule(number=apps, data=st.data(), seed=seeds, tag=st.sampled_from(["mine", "theirs"]))
    def save_plain_label(self, number, data, seed, tag):
        image_id = data.draw(st.sampled_from(self._here()))
        self._send(number, image_id, _drawing(seed), tag)
        self.model[image_id].labels[tag] = _drawing(seed)

    @precondition(lambda self: self._here())
    @rule(number=apps, data=st.data())
    def offer_a_draft(self, number, data):
        image_id = data.draw(st.sampled_from(self._here()))
        known, project = self.model[image_id], self.apps[number].project
        said = project.offer_draft(image_id)
        decided = known.state != UNDECIDED
        assert bool(said) == bool(decided.any())
        if said:
            draft = read_label(project.store.get_label_uri(image_id, "original"), like=GRID)
            assert (draft[decided] == known.state[decided]).all()
            known.labels["original"] = draft

    @precondition(lambda self: self._here())
    @rule(number=apps, data=st.data(), tag=st.sampled_from(["final", "original", "mine"]))
    def remove_label(self, number, data, tag):
        image_id = data.draw(st.sampled_from(self._here()))
        known, store = self.model[image_id], self.apps[number].datastore()
        if tag not in known.labels and not (tag == "final" and known.has_final):
            with pytest.raises(HTTPException):
                store.remove_label(image_id, tag)
            return
        store.remove_label(image_id, tag)
        known.labels.pop(tag, None)
        if tag == "final":
            known.has_final, known.state = False, Known().state
            self._remember(image_id)

    @precondition(lambda self: any(self.model[image_id].after for image_id in self._here()))
    @rule(number=apps, data=st.data())
    def restore(self, number, data):
        image_id = data.draw(st.sampled_from([i for i in self._here() if self.model[i].after]))
        known = self.model[image_id]
        entry = data.draw(st.sampled_from(["none", *known.after]))
        restore(self.apps[number], image_id, entry, author="Ana")
        known.state = Known().state if entry == "none" else known.after[entry]
        known.has_final = bool((known.state != UNDECIDED).any())
        self._remember(image_id)

    @rule(number=apps, torn=st.none() | st.integers(0, 200))
    def reopen(self, number, torn):
        index = self.studies / "datastore_v2.json"
        if torn is not None and index.exists():
            index.write_bytes(index.read_bytes()[:torn])
        self.apps[number] = self._open()
        self.apps[number].submitter.republish_stale()
        for image_id in self._here():
            known = self.model[image_id]
            known.has_final = bool((known.state != UNDECIDED).any())

    @invariant()
    def both_apps_hold_what_the_model_holds(self):
        for app in getattr(self, "apps", ()):
            store = app.datastore()
            assert store.list_images() == sorted(self._here())
            for image_id in IDS:
                self._compare_ledger(app, image_id)
            for image_id in self._here():
                self._compare_labels(store, image_id)

    @invariant()
    def every_line_of_the_audit_log_follows_from_the_one_before(self):
        assert AuditLog(self.studies / "spss" / "audit.jsonl").problems() == []

    def _compare_ledger(self, app, image_id):
        known, ledger = self.model[image_id], app.project.ledger
        assert {entry.id for entry in ledger.history(image_id)} == set(known.after)
        if (known.state == UNDECIDED).all():
            assert ledger.standing(image_id).is_empty
            with pytest.raises(NotReadyError):
                ledger.sparse_label(image_id, NAMES)
        else:
            assert (ledger.sparse_label(image_id, NAMES).with_undecided() == known.state).all()

    def _compare_labels(self, store, image_id):
        known = self.model[image_id]
        wanted = dict(known.labels)
        if known.has_final:
            wanted["final"] = np.where(known.state == UNDECIDED, 0, known.state)
        assert set(store.json()["objects"][image_id]["labels"]) == set(wanted)
        for tag, label in wanted.items():
            assert (read_label(store.get_label_uri(image_id, tag), like=GRID) == label).all()


AnyOrder.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_order_of_what_people_do_keeps_what_the_model_keeps = AnyOrder.TestCase
