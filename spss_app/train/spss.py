"""Training task ``spss``: every image of the datastore, the ledger's labels as truth."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from monailabel.interfaces.tasks.train import TrainTask
from monailabel.utils.async_tasks.utils import tasks

from spss.errors import InputError, NotReadyError, SpssError
from spss.methods import METHODS, find_method, method_options
from spss.studies.audit import sha256_of
from spss.training import TrainingCase, TrainingResult, train
from spss_app.models import PublishedModel
from spss_app.project import Project
from spss_app.request_keys import Parser, clean, device, flag, number, of_kind, one_of, text, whole
from spss_app.scoring.self_paced import SelfPaced
from spss_app.train.gate import Verdict, annotated_dice, judge
from spss_app.train.held_out import FEWEST_ANNOTATED, split
from spss_app.train.status import TrainStatus

logger = logging.getLogger(__name__)

_ROUNDS = 50  # progress reports per training, as the engine makes them
_LONGEST_MINUTES = 14 * 24 * 60
_START_SECONDS = 30.0  # until a training that was asked for is among the server's tasks
_UNKNOWN_TIME = "0:00:00"
_ENDED_FROM_OUTSIDE = (
    "The training was ended from outside, as when memory runs out: train again, it goes on from "
    "its last checkpoint. A smaller --conf memory_gb makes it need less."
)


class SpssTraining(TrainTask):
    """Trains a network on the planes and publishes it if it is not worse than the present one."""

    def __init__(self, project: Project) -> None:
        super().__init__("Trains on all images; the planes in the ledger are the truth.")
        self.project = project
        self.status = TrainStatus(project.models.root / "train_status.json")
        self._trains_here = False

    def config(self) -> dict[str, Any]:
        """Options that viewers show; lists are choices, the first one preselected."""
        chosen = self.project.options.method
        methods = sorted(METHODS, key=lambda name: name != chosen)
        constants: dict[str, Any] = {}
        for name in methods:
            constants = {**_plain(method_options(name)), **constants}
        return {
            "method": methods,
            "iterations": 1000,
            "minutes": 0.0,
            "seed": 0,
            "resume": True,
            "device": ["auto", "cpu", "cuda"],
            **constants,
        }

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say: the options above, checked."""
        keys: dict[str, Parser] = {key: of_kind(default) for key, default in self.config().items()}
        return keys | {
            "model": text(),
            "client_id": text(),
            "method": one_of(list(METHODS)),
            "iterations": whole(0, 10_000_000),
            "minutes": number(0, _LONGEST_MINUTES),
            "seed": whole(0, 2**31 - 1),
            "resume": flag,
            "device": device,
        }

    def stats(self) -> dict[str, Any]:
        """Progress for the viewers, which take an absent epoch for a finished training."""
        state = self.status.read() or {"epoch": 0, "total_epochs": _ROUNDS, "best_metric": 0.0}
        age_seconds = time.time() - state.get("start_ts", math.inf)
        if "total_time" not in state and age_seconds > _START_SECONDS and not self._is_running():
            return {**state, "total_time": _UNKNOWN_TIME, "outcome": _ENDED_FROM_OUTSIDE}
        return state

    def _is_running(self) -> bool:
        """Whether this process trains, or the server's process for it lives or is being started."""
        newest = tasks("train")[-1:]
        return self._trains_here or any(t["status"] in ("SUBMITTED", "RUNNING") for t in newest)

    def submitted(self, request: Mapping[str, Any]) -> None:
        """Resets the viewers' bars, which would show the last training until the process runs."""
        self.status.start(_ROUNDS, method=request.get("method", self.project.options.method))

    def __call__(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Trains, judges, publishes, scores; returns the final state."""
        options = clean(request, self.request_keys)
        method = options.get("method", self.project.options.method)
        self.status.start(_ROUNDS, method=method)
        self._trains_here = True
        try:
            outcome = self._train_and_publish(method, options)
        except SpssError as error:
            self.status.finish(f"Not trained: {error}", error=str(error))
            raise
        except BaseException as error:
            self.status.finish(f"Training failed ({type(error).__name__}).", error=str(error))
            raise
        finally:
            self._trains_here = False
        self.status.finish(outcome)
        SelfPaced(self.project)(options)
        return self.status.read()

    def _train_and_publish(self, method: str, options: dict[str, Any]) -> str:
        """Trains, and publishes the network unless it is worse than the one that answers now."""
        annotated = [
            image_id
            for image_id in self.project.store.fetched_images()
            if not self.project.ledger.standing(image_id).is_empty
        ]
        if not annotated:
            msg = "Nothing is annotated yet: draw a plane and submit it, then train."
            raise NotReadyError(msg)
        training, held_out = split(annotated, self.project.options.held_out)
        result = self._train(method, options, held_out)
        if not held_out and self.project.options.held_out:
            self.status.say(
                f"With fewer than {FEWEST_ANNOTATED} annotated images none is held out."
            )
        for message in _remarks(result):
            self.status.say(message)
        record: dict[str, Any] = {"method": method, "trained_on": training, "held_out": held_out}
        if result.best_metric is not None:
            record["best_metric"] = result.best_metric
        model = self.project.models.keep_version(record)
        self._note("train", model, method=method)
        verdict = self._judge(model, held_out)
        if not verdict.publish:
            return f"The new network is kept as {model.version} but not used: {verdict.reason}."
        self.project.models.publish(model)
        self._note("publish", model)
        return f"The new network is in use: {verdict.reason}."

    def _train(
        self, method: str, options: dict[str, Any], held_out: Sequence[str]
    ) -> TrainingResult:
        """In the models' folder, with what viewer and server were told."""
        project, folder = self.project, self.project.models.training
        minutes = options.get("minutes") or None
        arguments: dict[str, Any] = {
            "method": method,
            "method_config": find_method(method).Config(**self._constants(method, options)),
            "minutes": minutes,
            "iterations": None if minutes else options.get("iterations") or None,
            "seed": options.get("seed", 0),
            "device": options.get("device", project.options.device),
            "memory_gb": project.options.memory_gb or None,
            "propagator": project.options.propagator,
            "cache": project.models.root / "cache",
            "validation": [self._case(image_id) for image_id in held_out],
            "on_progress": self.status.progress,
            "say": self._say,
        }
        others = [i for i in project.store.fetched_images() if i not in set(held_out)]
        cases = [self._case(image_id) for image_id in others]
        names = project.classes.names
        if options.get("resume", True) and (folder / "checkpoint.pt").is_file():
            try:
                return train(cases, names, out=folder, resume=True, **arguments)
            except InputError as error:
                self._say(f"Training starts anew: {error}")
        shutil.rmtree(folder, ignore_errors=True)
        return train(cases, names, out=folder, **arguments)

    def _constants(self, method: str, options: dict[str, Any]) -> dict[str, Any]:
        """The method's constants that the request changes."""
        shown = self.config()
        own = _plain(method_options(method))
        return {
            key: type(default)(options[key])
            for key, default in own.items()
            if key in options and options[key] != shown[key]
        }

    def _case(self, image_id: str) -> TrainingCase:
        """Of an image with its annotation, which is read when the training wants it."""
        project = self.project
        path = Path(project.store.get_image_uri(image_id))
        if project.ledger.standing(image_id).is_empty:
            return TrainingCase(image_id, path)
        load = partial(project.ledger.sparse_label, image_id, project.classes.names)
        return TrainingCase(image_id, path, load)

    def _judge(self, model: PublishedModel, held_out: Sequence[str]) -> Verdict:
        """On held-out images only, and on none that the old network trained on."""
        old = self.project.models.published()
        if old is None:
            return judge({}, None)
        seen = set(old.record.get("trained_on", []))
        unseen = [image_id for image_id in held_out if image_id not in seen]
        return judge(self._dice(model, unseen), self._dice(old, unseen))

    def _dice(self, model: PublishedModel, image_ids: Sequence[str]) -> dict[str, float]:
        """On annotated voxels; an image that cannot be read is passed over and said."""
        project, names = self.project, self.project.classes.names
        scores = {}
        for image_id in image_ids:
            try:
                volume = project.volume(image_id)
                predicted = project.predicting.predict(model, volume, names).classes
                truth = project.ledger.sparse_label(image_id, names)
            except SpssError as error:
                self._say(f"Held-out image passed over: {error}")
                continue
            scores[image_id] = annotated_dice(predicted, truth, len(names))
        return scores

    def _note(self, action: str, model: PublishedModel, **facts: Any) -> None:
        digest = sha256_of(model.folder / "model.pt")
        facts["images"] = len(model.record.get("trained_on", ()))
        self.project.store.note(action, sha256=digest, version=model.version, **facts)

    def _say(self, message: str) -> None:
        logger.info(message)
        self.status.say(message)


def _remarks(result: TrainingResult) -> list[str]:
    remarks = [f"{name} was skipped: {why}" for name, why in result.skipped.items()]
    absent = ", ".join(result.absent_classes)
    return [*remarks, f"Nobody has drawn {absent} yet: it is not predicted."] if absent else remarks


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Constants that an options table can show and change: numbers, flags and words."""
    return {k: v for k, v in options.items() if isinstance(v, bool | int | float | str)}
