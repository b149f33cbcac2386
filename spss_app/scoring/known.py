"""What earlier scoring found out about an image, as far as it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.suggestion import OrganSummary, PlaneScores, ScoreNote
from spss.types import Shape
from spss_app.notes import Notes


@dataclass(frozen=True)
class Known:
    """Fields of `spss.suggestion.ImageState` that come from notes."""

    scores: PlaneScores | None = None
    stale: bool = False
    features: NDArray[np.float32] | None = None
    organ: OrganSummary | None = None
    content: Any = None


@dataclass
class KnownScores:
    """Reads the notes of scoring, each once for each version of its file.

    A note for other classes, for an image of another shape or of another version of this app counts
    as absent: the image is scored anew. Scores of an earlier network are given, and marked: with
    them a suggestion can be made at once, without them not before all images were predicted again.

    Attributes:
        scores: written by scoring.
        organs: written with each draft and by scoring.
        contents: where an image shows anything; written when it is first suggested.
    """

    scores: Notes
    organs: Notes
    contents: Notes
    _parsed: dict[tuple[str, str], tuple[Any, Any]] = field(default_factory=dict)

    def of(
        self, image_id: str, *, shape: Shape, class_names: Sequence[str], model: str | None
    ) -> Known:
        """What is known of an image.

        Args:
            image_id: the image.
            shape: of the image now.
            class_names: of the task now, background first.
            model: version of the published network; None before the first.
        """
        note = self._read("scores", self.scores, image_id, ScoreNote.from_json)
        organ = self._read("organs", self.organs, image_id, OrganSummary.from_json)
        content = self._read("contents", self.contents, image_id, _content)
        if organ is not None and any(
            last >= size for (_, last), size in zip(organ.extent, shape, strict=True)
        ):
            organ = None
        if content is not None and any(
            last >= size for (_, last), size in zip(content, shape, strict=True)
        ):
            content = None
        if note is None or note.why_unusable(class_names, shape):
            return Known(organ=organ, content=content)
        return Known(note.scores, note.model != model, note.features, organ, content)

    def _read(self, kind: str, notes: Notes, image_id: str, parse: Any) -> Any:
        found = notes.read(image_id)  # the same object as long as the file is the same
        if not found:
            return None
        known = self._parsed.get((kind, image_id))
        if known is None or known[0] is not found:
            known = (found, _or_none(parse, found))
            self._parsed[kind, image_id] = known
        return known[1]


def _content(note: dict[str, Any]) -> Any:
    try:
        first, second, third = ((int(low), int(high)) for low, high in note["extent"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("Not the extent of an image's content.") from error
    return (first, second, third)


def _or_none(parse: Any, note: dict[str, Any]) -> Any:
    try:
        return parse(note)
    except InputError:
        return None
