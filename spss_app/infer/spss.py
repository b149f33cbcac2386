"""Inference task ``spss``: the trained network, and before the first training the draft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spss.errors import NotReadyError
from spss_app.draft import Draft
from spss_app.infer.study_task import StudyTask
from spss_app.project import Project

_NOTHING_YET = (
    "No network is trained yet and nothing is drawn in this image: draw the suggested plane, "
    "submit it, and ask again."
)


class Spss(StudyTask):
    """Answers with the published network's prediction, and what was drawn as it was drawn.

    Slicer runs this task on every new sample by itself, so having nothing to show is no error: the
    answer is an empty label map and a message. (An answer without a file would be one too: the
    client's library then hands Slicer bytes where it expects an object.)
    """

    def __init__(self, project: Project) -> None:
        super().__init__(
            project, "The network trained on the planes; before that, the propagated draft."
        )

    def get_path(self, validate: bool = True) -> str | None:
        """The weights that MONAI Label offers for download."""
        model = self.project.models.published()
        return None if model is None else str(model.folder / "model.pt")

    def __call__(self, request: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Returns the label file and what goes beside it."""
        image_id = request.get("image_id")
        path = Path(request["image"])
        draft = self._draft(image_id, path, request.get("device"))
        grid = self.project.volumes.grid(path)
        if draft is None:
            draft = Draft(np.zeros(grid.shape, np.uint8), _NOTHING_YET, "")
        elif image_id is not None:
            self.project.remember_draft(image_id, draft.classes)
        return self.answer(draft, request, like=grid)

    def _draft(self, image_id: str | None, path: Path, device: str | None) -> Draft | None:
        """The network's prediction; before the first training what was carried, if anything was."""
        model = self.project.models.published()
        if model is not None:
            prediction = self.project.predicting.predict(
                model,
                self.project.volumes.volume(path),
                self.project.classes.names,
                device=device,
            )
            draft = Draft(prediction.classes, "predicted by the network", model.version)
            return self.project.with_what_was_drawn(image_id, draft) if image_id else draft
        if image_id is None:
            return None
        try:
            return self.project.propagated(image_id)
        except NotReadyError:
            return None
