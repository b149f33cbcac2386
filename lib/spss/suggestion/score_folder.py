"""Scores kept in a folder, one small file an image: interrupted scoring goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spss.annotation import folder_name
from spss.errors import InputError
from spss.suggestion.organ import OrganSummary
from spss.suggestion.score_image import score_image
from spss.suggestion.score_note import ScoreNote
from spss.types import Shape
from spss.volumes import read_grid, read_image, replace_atomically

if TYPE_CHECKING:
    from spss.inference import Predictor

_DIGEST_LENGTH = 16


@dataclass
class ScoreFolder:
    """The scores of one model; what is missing or does not fit is computed.

    Files of another model, of other classes or of an image that has another shape now are replaced.
    Files of images that are gone are never asked for.

    Attributes:
        folder: of the files.
        model: digest of the model's weights.
        class_names: of the task, background first.
        predictor: the loaded model.
        renewed: image → why its old scores were replaced.
    """

    folder: Path
    model: str
    class_names: tuple[str, ...]
    predictor: Predictor
    renewed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls, folder: Path, model_dir: Path, class_names: tuple[str, ...], *, device: str = "auto"
    ) -> ScoreFolder:
        """Loads the model.

        Raises:
            NotReadyError: there is none.
            InputError: it is damaged, or knows a class that the task has not.
        """
        from spss.inference import Predictor

        predictor = Predictor.load(model_dir, device=device)
        unknown = [name for name in predictor.class_names if name not in class_names]
        if unknown:
            msg = (
                f"The model in {model_dir} knows the class {unknown[0]!r}, which the data set has "
                f"not (it has {', '.join(class_names)}): use a model trained on these classes."
            )
            raise InputError(msg)
        digest = hashlib.sha256((Path(model_dir) / "model.pt").read_bytes()).hexdigest()
        return cls(Path(folder), digest[:_DIGEST_LENGTH], tuple(class_names), predictor)

    def of(self, name: str, image: Path) -> tuple[ScoreNote, OrganSummary | None]:
        """The image's scores, from its file if that fits.

        Raises:
            InputError: the image cannot be read or is constant.
        """
        path = self.folder / f"{folder_name(name)}.json"
        kept, reason = self._kept(path, read_grid(image).shape)
        if kept is not None:
            return kept
        if reason:
            self.renewed[name] = reason
        volume = read_image(image)
        note, organ = score_image(
            self.predictor, volume, model=self.model, class_names=self.class_names
        )
        document: dict[str, Any] = {
            "note": note.to_json(),
            "organ": None if organ is None else organ.to_json(),
        }
        with replace_atomically(path) as unfinished:
            unfinished.write_text(json.dumps(document), encoding="utf-8")
        # as the file holds them: the next call must give the same numbers
        return ScoreNote.from_json(document["note"]), organ

    def in_words(self) -> str:
        """How many scores were replaced, and why the first of them."""
        reason = next(iter(self.renewed.values()))
        return f"{len(self.renewed)} images were scored anew, since {reason}."

    def _kept(
        self, path: Path, shape: Shape
    ) -> tuple[tuple[ScoreNote, OrganSummary | None] | None, str]:
        """What the file holds, or None and why it cannot be used."""
        if not path.is_file():
            return None, ""
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            note = ScoreNote.from_json(document["note"])
            organ = document["organ"]
            summary = None if organ is None else OrganSummary.from_json(organ)
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None, f"the file {path.name} is damaged"
        if note.model != self.model:
            return None, "the scores are of another model"
        reason = note.why_unusable(self.class_names, shape)
        return (None, reason) if reason else ((note, summary), "")
