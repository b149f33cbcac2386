"""The next question to the annotator, as the viewers want it told."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
from monailabel.interfaces.tasks.strategy import Strategy

from spss.errors import InputError, NotReadyError
from spss.suggestion import Suggestion, suggest
from spss_app.project import Project
from spss_app.request_keys import Parser, clean, one_of, text, whole

logger = logging.getLogger(__name__)

STRATEGY_KEYS: dict[str, Parser] = {
    "client_id": text(),
    "axis": lambda key, value: one_of(("auto", "0", "1", "2"))(key, str(value)),
    "seed": whole(0, 2**32 - 1),
}
"""What a request for the next sample may say."""


class Answer(dict[str, Any]):
    """The answer to "next sample"; what it says of the image is not overwritten.

    MONAI Label adds the index's information to the answer, whose ``PatientID`` would replace the
    name that Slicer displays and that tells the annotator which plane to draw.
    """

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Adds only what is not there yet."""
        for key, value in dict(*args, **kwargs).items():
            self.setdefault(key, value)


class NextPlane(Strategy):
    """Base of the strategies: which volume, which plane, because.

    Args:
        project: the server's parts.
        strategy: name in ``spss.suggestion.STRATEGIES``.
        description: what viewers show.
    """

    def __init__(self, project: Project, strategy: str, description: str) -> None:
        super().__init__(description)
        self.project = project
        self.strategy = strategy

    def __call__(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """The next sample; empty if no image is left. Its draft is in place when this returns."""
        started = time.monotonic()
        options = clean(request, STRATEGY_KEYS)
        client = options.get("client_id", "")
        broken: dict[str, str] = {}
        while True:
            suggestion, unusable = self._suggest(options, client, set(broken))
            broken |= unusable
            if suggestion is None:
                return {}
            try:
                answer = self._answer(suggestion)
            except (InputError, NotReadyError) as error:  # its header was fine, its voxels are not
                broken[suggestion.image_id] = str(error)
                continue
            break
        self.project.served.remember(suggestion.image_id, client, suggestion.plane)
        if broken:
            answer["skipped"] = broken
        logger.info("Next sample chosen in %.2f s", time.monotonic() - started)
        return answer

    def _suggest(
        self, options: dict[str, Any], client: str, excluded: set[str]
    ) -> tuple[Suggestion | None, dict[str, str]]:
        states, broken = self.project.image_states()
        leased = self.project.served.leased_to_others((s.image_id for s in states), client)
        rng = np.random.default_rng(options.get("seed"))
        for out in (excluded | leased, excluded):  # rather share an image than have none
            found = suggest(
                states,
                strategy=self.strategy,
                axis=options.get("axis", self.project.options.axis),
                rng=rng,
                excluded=out,
                class_names=self.project.classes.names,
            )
            if found:
                return found[0], broken
        return None, broken

    def _answer(self, suggestion: Suggestion) -> Answer:
        project, image_id, plane = self.project, suggestion.image_id, suggestion.plane
        volume = project.volume(image_id)
        direction = plane.anatomical_name(volume.affine)
        info = project.store.get_image_info(image_id)
        # From a PACS the id is a UID that says nothing to a person; the patient's id does.
        name, shown = info.get("name", image_id), info.get("PatientID", image_id)
        return Answer(
            id=image_id,
            name=name,
            PatientID=f"{shown} \u2192 {direction} {plane.index}",
            path=project.store.get_image_uri(image_id),
            checksum=project.volumes.checksum(Path(project.store.get_image_uri(image_id))),
            draft=project.offer_draft(image_id),
            suggestion=describe(suggestion, volume.affine, volume.shape),
        )


def describe(suggestion: Suggestion, affine: Any, shape: Any) -> dict[str, Any]:
    """A suggestion for people and programs: index, name, and place in patient coordinates."""
    plane = suggestion.plane
    point = np.asarray(plane.centre_ras_mm(affine, shape))
    normal = np.asarray(plane.normal_ras(affine)) + 0.0  # no negative zeros
    to_lps = np.array([-1.0, -1.0, 1.0])
    return {
        "axis": plane.axis,
        "index": plane.index,
        "name": plane.anatomical_name(affine),
        "point_ras_mm": point.tolist(),
        "normal_ras": normal.tolist(),
        "point_lps_mm": (point * to_lps).tolist(),
        "normal_lps": (normal * to_lps + 0.0).tolist(),
        "score": float(suggestion.score),
        "reason": suggestion.reason,
    }
