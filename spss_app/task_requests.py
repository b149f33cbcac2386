"""Requests for work that MONAI Label does in a process of its own: checked, then carried out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp

from spss_app.http_errors import answers_http, not_found
from spss_app.project import Project
from spss_app.request_keys import clean, flag, one_of, whole


class TaskRequests(MONAILabelApp):
    """The part of the app that answers requests for training, scoring and batch inference."""

    project: Project

    @answers_http
    def batch_infer(self, request: Mapping[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Runs a model on many images and stores the results; a broken image is named."""
        asked = self._checked_batch(request)
        results: dict[str, Any] = {}
        for image_id in self._batch_images(asked)[: asked.get("max_batch_size") or None]:
            try:
                one = {**asked, "image": image_id, "save_label": True}
                result = self.infer(one)
                if result["file"]:
                    Path(result["file"]).unlink(missing_ok=True)
                results[image_id] = result["params"]
            except HTTPException as error:
                results[image_id] = {"message": error.detail}
        return results

    @answers_http
    def train(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Trains; MONAI Label calls this in a process of its own."""
        asked = self.checked_task_request("train", request)
        result: dict[str, Any] = self._trainers[asked["model"]](asked, self.datastore())
        return result

    @answers_http
    def scoring(self, request: Mapping[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Scores planes; MONAI Label calls this in a process of its own."""
        asked = self.checked_task_request("scoring", request)
        result: dict[str, Any] = self._scoring_methods[asked["method"]](asked, self.datastore())
        return result

    @answers_http
    def checked_task_request(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a request for a background task that may reach it.

        Raises:
            HTTPException: 404 for an unknown task, 422 for an unusable value.
        """
        if kind == "batch_infer":
            return self._checked_batch(request)
        key, what, tasks = (
            ("model", "trainer", self._trainers)
            if kind == "train"
            else ("method", "scoring method", self._scoring_methods)
        )
        name = request.get(key)
        if name not in tasks:
            raise not_found(what, name, list(tasks))
        return {**clean(request, tasks[name].request_keys), key: name}

    def task_submitted(self, kind: str, request: Mapping[str, Any]) -> None:
        """A background task was started: its process takes a while until it can speak itself."""
        if kind == "train":
            # noted here too: its own process does not know who asked
            self.project.store.note("train_asked", model=request["model"])
            self._trainers[request["model"]].submitted(request)

    def bundle_path(self, model: Any) -> None:
        """No bundles: nothing a client sends may become a Python path."""
        return

    def _checked_batch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """As a single inference, with the images that batch inference may name."""
        if request.get("model") not in self._infers:
            raise not_found("model", request.get("model"), list(self._infers))
        images = getattr(request.get("images"), "value", request.get("images"))
        keys = {
            **self._infers[request["model"]].request_keys,
            "images": one_of(("all", "labeled", "unlabeled")),
            "max_batch_size": whole(0, 1_000_000),
            "save_label": flag,
        }
        return clean({**request, "images": images or "all", "image": None}, keys)

    def _batch_images(self, asked: Mapping[str, Any]) -> list[str]:
        """By what the ledger holds, not by label files."""
        every = self.project.store.list_images()
        if asked["images"] == "all":
            return every
        annotated = set(self.project.ledger.image_ids())
        return [i for i in every if (i in annotated) == (asked["images"] == "labeled")]
