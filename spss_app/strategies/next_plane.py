"""The next question to the annotator, as the viewers want it told."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from monailabel.interfaces.tasks.strategy import Strategy

from spss.errors import InputError, NotReadyError
from spss.suggestion import ImageState, Suggestion, suggest, summarise_content
from spss_app.project import Project
from spss_app.request_keys import Parser, clean, one_of, text, whole
from spss_app.scoring.progress import HeldOutProgress
from spss_app.strategies.empty_answer import nothing_left

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
        self.progress = HeldOutProgress(project)

    def __call__(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """The next sample; empty if no image is left. Its draft is in place when this returns."""
        started = time.monotonic()
        options = clean(request, STRATEGY_KEYS)
        client = options.get("client_id", "")
        states, broken = self.project.image_states()
        while True:
            suggestion = self._suggest(states, options, client, set(broken))
            if suggestion is None:
                return nothing_left(self._why_nothing(states, broken, client))
            try:
                suggestion = self._placed(suggestion, states, options)
                answer = self._answer(suggestion)
            except (InputError, NotReadyError) as error:  # its header was fine, its voxels are not
                broken[suggestion.image_id] = str(error)
                continue
            break
        self.project.served.remember(suggestion.image_id, client, suggestion.plane)
        if broken:
            answer["skipped"] = broken
        advice = self.progress.advice()
        if advice is not None:
            answer["advice"] = {"stop": advice.stop, "text": advice.text}
        logger.info("Next sample chosen in %.2f s", time.monotonic() - started)
        return answer

    def _suggest(
        self,
        states: Sequence[ImageState],
        options: dict[str, Any],
        client: str,
        excluded: set[str],
    ) -> Suggestion | None:
        """What nobody else holds; what this client skipped only when nothing else is left."""
        ids = [state.image_id for state in states]
        excluded = excluded | self.project.served.leased_to_others(ids, client)
        skipped = self.project.served.held_by(ids, client)
        for out in (excluded | skipped, excluded) if skipped else (excluded,):
            found = suggest(
                states,
                strategy=self.strategy,
                axis=options.get("axis", self.project.options.axis),
                rng=np.random.default_rng(options.get("seed")),
                excluded=out,
                class_names=self.project.classes.names,
            )
            if found:
                return found[0]
        return None

    def _placed(
        self, suggestion: Suggestion, states: Sequence[ImageState], options: dict[str, Any]
    ) -> Suggestion:
        """The same volume, its plane by what the image shows, where nothing else is known."""
        image_id = suggestion.image_id
        places = {state.image_id: place for place, state in enumerate(states)}
        state = states[places[image_id]]
        if state.organ is not None or state.content is not None or state.is_touched:
            return suggestion
        extent = summarise_content(self.project.volume(image_id).data)
        self.project.contents.write(image_id, {"extent": extent})
        looked = list(states)
        looked[places[image_id]] = replace(state, content=extent)
        found = suggest(
            looked,
            strategy=self.strategy,
            axis=suggestion.plane.axis,
            rng=np.random.default_rng(options.get("seed")),
            excluded=places.keys() - {image_id},
            class_names=self.project.classes.names,
        )
        return found[0] if found else suggestion

    def _why_nothing(
        self, states: Sequence[ImageState], broken: Mapping[str, str], client: str
    ) -> str:
        """An empty answer needs a reason: images are held, broken, full, or there is none."""
        others = self.project.served.leased_to_others((s.image_id for s in states), client)
        open_ones = [s.image_id for s in states if not s.dense and s.image_id not in broken]
        held = others.intersection(open_ones)
        if held:
            minutes = math.ceil(self.project.served.seconds_until_free(held) / 60)
            return (
                f"all {len(held)} images that are left are held by other annotators; "
                f"the first is free again in {minutes} minutes at the latest"
            )
        if open_ones:
            return "every plane that is left lies too close to a drawn one"
        if broken:
            return f"no image is left but {len(broken)} that cannot be read"
        return "no image is left" if states else "there is no image"

    def _answer(self, suggestion: Suggestion) -> Answer:
        """The suggestion with all that viewers show of it."""
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
