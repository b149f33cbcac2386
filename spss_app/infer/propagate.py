"""Inference task ``propagate``: the image's annotated planes, carried through the volume."""

from __future__ import annotations

from typing import Any

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from spss.errors import InputError
from spss.propagation import list_propagators
from spss_app.infer.result_file import INFER_KEYS, write_result
from spss_app.project import Project
from spss_app.request_keys import Parser, one_of


class Propagate(InferTask):
    """Answers with the dense draft that the ledger's planes give."""

    def __init__(self, project: Project) -> None:
        super().__init__(
            type=InferType.SEGMENTATION,
            labels=project.classes.foreground,
            dimension=3,
            description="Carries the planes drawn in this image through the volume.",
        )
        self.project = project

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say."""
        return {**INFER_KEYS, "propagator": one_of(list(list_propagators()))}

    def info(self) -> dict[str, Any]:
        """What viewers show; the classes may have been named since the start."""
        propagators = list(list_propagators())
        chosen = self.project.options.propagator
        propagators.sort(key=lambda name: name != chosen)
        return {
            **super().info(),
            "labels": self.project.classes.foreground,
            "config": {"propagator": propagators},
        }

    def is_valid(self) -> bool:
        """Always offered: before any plane it says what to do."""
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Returns the label file and what goes beside it."""
        image_id = request.get("image_id")
        if image_id is None:
            msg = "Propagation needs an image of this server: planes are kept by image id."
            raise InputError(msg)
        draft = self.project.propagated(image_id, request.get("propagator"))
        self.project.remember_draft(image_id, draft.classes)
        return write_result(
            draft.classes,
            self.project.classes.names,
            like=self.project.grid(image_id),
            ending=request.get("result_extension", ".nii.gz"),
            message=draft.source,
        )
