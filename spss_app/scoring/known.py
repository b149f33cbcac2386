"""What earlier scoring found out about an image, as far as it still holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.suggestion import OrganSummary, PlaneScores, ScoreNote
from spss.types import Shape
from spss_app.notes import Notes, Signature


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
    _parsed: dict[tuple[str, str], tuple[Signature, Any]] = field(default_factory=dict)

    def of(
        self, shapes: Mapping[str, Shape], *, class_names: Sequence[str], model: str | None
    ) -> dict[str, Known]:
        """What is known of each image.

        Args:
            shapes: image → its shape now.
            class_names: of the task now, background first.
            model: version of the published network; None before the first.
        """
        scores = self._read("scores", self.scores, shapes, ScoreNote.from_json)
        organs = self._read("organs", self.organs, shapes, OrganSummary.from_json)
        contents = self._read("contents", self.contents, shapes, _content)
        found = {}
        for image_id, shape in shapes.items():
            note = scores.get(image_id)
            organ, content = organs.get(image_id), contents.get(image_id)
            if organ is not None and not _inside(organ.extent, shape):
                organ = None
            if content is not None and not _inside(content, shape):
                content = None
            known = Known(organ=organ, content=content)
            if note is not None and not note.why_unusable(class_names, shape):
                stale = note.model != model
                known = Known(note.scores, stale, note.features, organ, content)
            found[image_id] = known
        return found

    def _read(
        self, kind: str, notes: Notes, image_ids: Iterable[str], parse: Any
    ) -> dict[str, Any]:
        """Parsed notes; one that cannot be parsed is absent.

        What was parsed is kept and the text's lists are not: with ten thousand images they made
        each full garbage collection 0.2 seconds longer.
        """
        parsed = {}
        for image_id, signature in notes.signatures(image_ids).items():
            known = self._parsed.get((kind, image_id))
            if known is None or known[0] != signature:
                known = (signature, _or_none(parse, notes.load(image_id)))
                self._parsed[kind, image_id] = known
            if known[1] is not None:
                parsed[image_id] = known[1]
        return parsed


def _inside(extent: Any, shape: Shape) -> bool:
    return all(last < size for (_, last), size in zip(extent, shape, strict=True))


def _content(note: dict[str, Any]) -> Any:
    """From a note of the cache; what is no extent is refused and made again."""
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
