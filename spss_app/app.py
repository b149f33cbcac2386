"""The MONAI Label application: what the server asks, translated for the library and back."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.utils.async_tasks.utils import processes
from monailabel.utils.sessions import Sessions

import spss
from spss.annotation import Ledger
from spss.errors import InputError
from spss.suggestion import DEFAULT_STRATEGY, list_strategies
from spss_app.background import leave_start_alone, step_aside
from spss_app.datastore.guarded import GuardedDatastore
from spss_app.datastore.local import LocalFolder
from spss_app.datastore.names import FINAL, ORIGINAL, check_tag
from spss_app.endpoint_checks import install_checks
from spss_app.http_errors import answers_http, not_found
from spss_app.infer.propagate import Propagate
from spss_app.infer.spss import Spss
from spss_app.log_privacy import hide_names, names_in
from spss_app.options import AppOptions
from spss_app.overview import install_overview
from spss_app.project import Project
from spss_app.request_keys import clean
from spss_app.safe_sessions import SafeSessions
from spss_app.scoring.self_paced import SelfPaced
from spss_app.serving.start import secure_start
from spss_app.strategies.empty_answer import install_reasons
from spss_app.strategies.entropy import Entropy
from spss_app.strategies.first import First
from spss_app.strategies.foreground_random import ForegroundRandom
from spss_app.strategies.random import Random
from spss_app.strategies.self_paced import SelfPaced as SelfPacedStrategy
from spss_app.strategies.strided import Strided
from spss_app.studies import Studies, find_studies
from spss_app.submit.submitter import Submitter, Understood
from spss_app.task_classes import TaskClasses
from spss_app.task_requests import TaskRequests
from spss_app.train.spss import SpssTraining
from spss_app.versions import install_versions

logger = logging.getLogger(__name__)

_UPLOAD_NAME = re.compile(r"tmp[a-z0-9_]{8}(\.[^/\\]*)?")
_SCORING_PAUSE_SECONDS = 600.0
_SCORING_LOOK_SECONDS = 30.0  # looking through all images takes as long as a suggestion


class SpssApp(TaskRequests, MONAILabelApp):
    """Annotate one slice, get the volume, be told which slice to draw next."""

    _is_server = False

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.options = AppOptions.from_conf(conf or {})
        self.project: Project
        self.submitter: Submitter
        self._understood: dict[str, Understood] = {}
        self._scored_until = 0.0
        step_aside()
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf or {},
            name="SPSS",
            description="Annotate one slice, get the volume, be told which slice to draw next.",
            version=spss.__version__,
        )
        install_checks()
        install_reasons()
        install_overview()
        install_versions()
        hide_names(lambda: names_in(self.project.store.known_objects()))
        leave_start_alone()

    def init_datastore(self) -> Datastore:
        """Opens the studies and everything that belongs to them."""
        found = find_studies(self.studies, self.options)
        store = _open_store(found, self.options)
        dataset_json = Path(self.studies).expanduser() / "dataset.json"
        classes = TaskClasses(self.options.labels, dataset_json, found.own / "classes.json")
        self.project = Project(found, self.options, store, Ledger(found.ledger), classes)
        self.submitter = Submitter(
            store=store,
            ledger=self.project.ledger,
            classes=classes,
            drafts=self.project.drafts,
            served=self.project.served,
            volumes=self.project.volumes,
            rejected=found.own / "rejected",
            rule=self.options.annotations,
        )
        store.on_submit = self._take_submit
        store.on_withdraw = lambda image_id: self._withdraw(image_id)
        return store

    def init_infers(self) -> dict[str, InferTask]:
        """``spss`` first: Slicer runs the first model on each new sample."""
        return {"spss": Spss(self.project), "propagate": Propagate(self.project)}

    def init_trainers(self) -> dict[str, TrainTask]:
        """One trainer; methods are its option."""
        return {"spss": SpssTraining(self.project)}

    def init_strategies(self) -> dict[str, Strategy]:
        """The default first."""
        kinds = (SelfPacedStrategy, Entropy, ForegroundRandom, Strided, Random, First)
        strategies = {each.strategy: each for each in (kind(self.project) for kind in kinds)}
        return {name: strategies[name] for name in list_strategies()}

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        """Scores planes by the published network."""
        return {"self_paced": SelfPaced(self.project)}

    def info(self) -> dict[str, Any]:
        """What viewers read; the classes may have been named since the start."""
        self.labels = self.project.classes.foreground
        model = self.project.models.published()
        info: dict[str, Any] = super().info()
        return info | {"model": model.record if model else None}

    @answers_http
    def infer(self, request: Mapping[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Runs ``spss`` or ``propagate`` on an image of the datastore, an upload or a session."""
        task = self._infers.get(str(request.get("model")))
        if task is None:
            raise not_found("model", request.get("model"), list(self._infers))
        asked = clean(request, task.request_keys)
        image_id, path = self._image(asked.get("image"))
        tag = check_tag(asked.get("label_tag", ORIGINAL))
        if tag == FINAL and asked.get("save_label"):
            msg = "A prediction is not saved as a final label: use the tag 'original'."
            raise InputError(msg)
        file, params = task({**asked, "image": str(path), "image_id": image_id})
        label = file
        if file and image_id and asked.get("save_label") and params["label_names"]:
            info = {"model": asked["model"], "params": params}
            label = self.project.store.store_label(image_id, Path(file), tag, info)
            self.project.store.note("save_label", image=image_id, tag=tag, model=asked["model"])
        return {"label": label, "tag": tag, "file": file, "params": params}

    def infer_wsi(self, request: Mapping[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Whole-slide images are not handled here."""
        raise HTTPException(422, "Whole-slide inference is not offered here: use /infer instead.")

    @answers_http
    def next_sample(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The next volume and plane; a draft waits under the tag ``original``."""
        name = request.get("strategy") or DEFAULT_STRATEGY
        strategy = self._strategies.get(str(name))
        if strategy is None:
            raise not_found("strategy", name, list(self._strategies))
        answer: dict[str, Any] = strategy(request, self.datastore())
        self._score_if_stale()
        return answer

    def model_file(self, model: str, validate: bool = True) -> str | None:
        """Weights for download. Uploads have no target: a network comes from a training here."""
        task = self._infers.get(model)
        if not validate:
            self.project.store.note("model_upload_refused", model=model[:100])
        return task.get_path() if task is not None and validate else None

    def on_init_complete(self) -> None:
        """Closes what can be closed; scoring is started when it is needed, not at every turn."""
        self._auto_update_scoring = False
        SpssApp._is_server = True
        secure_start(self.project.studies.own)
        super().on_init_complete()
        logger.info("%d images", len(self.project.store.list_images()))
        if behind := self.submitter.republish_stale():
            logger.info("%d final labels were behind the ledger and are written anew", behind)

    def on_save_label(self, image_id: str, label_id: str) -> dict[str, Any]:
        """Tells the annotator what was understood; Slicer shows it."""
        understood = self._understood.pop(image_id, None)
        return understood.answer() if understood else {}

    def _load_sessions(self, load: bool = False) -> Sessions | None:
        """In a folder of this server's own; MONAI Label's default is one for all of a user's."""
        if not load:
            return None
        from monailabel.config import settings

        folder = settings.MONAI_LABEL_SESSION_PATH or str(self.project.studies.own / "sessions")
        return SafeSessions(folder, settings.MONAI_LABEL_SESSION_EXPIRY)

    def _download_dcmqi_tools(self) -> None:
        """Nothing is downloaded at start: dcmqi is installed with the package."""

    def _take_submit(self, image_id: str, file: Path, params: dict[str, Any]) -> None:
        self._understood[image_id] = self.submitter.submit(image_id, file, params)

    def _withdraw(self, image_id: str) -> None:
        if not self.project.ledger.standing(image_id).is_empty:
            self.project.ledger.restore(image_id, "", author="deleted by a client")

    def _image(self, image: Any) -> tuple[str | None, Path]:
        """Image id and file; a path is taken only if it is an upload of this server."""
        store = self.project.store
        if not isinstance(image, str) or not image:
            raise HTTPException(422, "The request names no image: send its id.")
        if image in store.list_images():
            return image, Path(store.get_image_uri(image))
        path = Path(image).resolve() if "\0" not in image else Path()
        uploads = Path(tempfile.gettempdir()).resolve()
        if path.parent == uploads and _UPLOAD_NAME.fullmatch(path.name) and path.is_file():
            return None, path
        session = self.sessions().get_session(path.parent.name) if self.sessions() else None
        if session is not None and Path(session.image).resolve() == path:
            return None, path
        raise HTTPException(404, f"There is no image {image[:100]!r}: ask for the next sample.")

    def _score_if_stale(self) -> None:
        """Starts scoring in the background when the published network has not scored all images."""
        model = self.project.models.published()
        scoring = self._scoring_methods.get("self_paced")
        now = time.monotonic()
        if not self._server_mode or model is None or scoring is None or now < self._scored_until:
            return
        if processes("scoring") or processes("train"):
            return
        stale = bool(scoring.unscored())
        self._scored_until = now + (_SCORING_PAUSE_SECONDS if stale else _SCORING_LOOK_SECONDS)
        if stale:
            self.async_scoring("self_paced")


def _open_store(studies: Studies, options: AppOptions) -> GuardedDatastore:
    """A folder or a PACS behind the same interface."""
    if studies.images is not None:
        return LocalFolder(studies.images, studies.workspace)
    # imported here: a folder of images needs no DICOM library
    from spss_app.dicomweb.opening import open_datastore

    return open_datastore(studies.address, studies.workspace, ohif=options.ohif)
