"""Inference task ``propagate``: the image's annotated planes, carried through the volume."""

from __future__ import annotations

from typing import Any

from spss.errors import InputError
from spss.propagation import list_propagators
from spss_app.infer.result_file import INFER_KEYS
from spss_app.infer.study_task import StudyTask
from spss_app.project import Project
from spss_app.request_keys import Parser, flag, one_of, whole

MOST_SLICES = 100_000
"""Bound of ``range``: more than any volume has."""


class Propagate(StudyTask):
    """Answers with the dense draft that the ledger's planes give.

    Once a network is published, its opinion is joined by reliability: next to a plane the
    person's line decides, far from it the network does. ``join`` false leaves it out; ``range``
    carries every plane only so many slices to each side (0 = through the whole volume).
    """

    def __init__(self, project: Project) -> None:
        super().__init__(project, "Carries the planes drawn in this image through the volume.")

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say."""
        return {
            **INFER_KEYS,
            "propagator": one_of(list(list_propagators())),
            "range": whole(0, MOST_SLICES),
            "join": flag,
        }

    def info(self) -> dict[str, Any]:
        """What viewers show; the server's own propagator is offered first."""
        propagators = list(list_propagators())
        chosen = self.project.options.propagator
        propagators.sort(key=lambda name: name != chosen)
        return {**super().info(), "config": {"propagator": propagators, "range": 0, "join": True}}

    def __call__(self, request: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Returns the label file and what goes beside it."""
        image_id = request.get("image_id")
        if image_id is None:
            msg = "Propagation needs an image of this server: planes are kept by image id."
            raise InputError(msg)
        draft = self.project.propagated(
            image_id,
            request.get("propagator"),
            range_slices=request.get("range") or None,
            joined=request.get("join", True),
        )
        self.project.remember_draft(image_id, draft.classes)
        return self.answer(draft, request, like=self.project.grid(image_id))
