"""What the inference tasks on the study's images have in common."""

from __future__ import annotations

from typing import Any

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from spss.volumes.grid import OnGrid
from spss_app.draft import Draft
from spss_app.infer.result_file import INFER_KEYS, write_result
from spss_app.project import Project
from spss_app.request_keys import Parser


class StudyTask(InferTask):
    """Answers with a label map of the task's classes, on the image's own grid."""

    def __init__(self, project: Project, description: str) -> None:
        super().__init__(
            type=InferType.SEGMENTATION,
            labels=project.classes.foreground,
            dimension=3,
            description=description,
        )
        self.project = project

    @property
    def request_keys(self) -> dict[str, Parser]:
        """What a request may say."""
        return INFER_KEYS

    def info(self) -> dict[str, Any]:
        """What viewers show; the classes may have been named since the start."""
        return {**super().info(), "labels": self.project.classes.foreground}

    def is_valid(self) -> bool:
        """Always offered: before there is anything to show, the answer says what to do."""
        return True

    def answer(
        self, draft: Draft, request: dict[str, Any], *, like: OnGrid
    ) -> tuple[str, dict[str, Any]]:
        """The label file and what goes beside it."""
        return write_result(
            draft.classes,
            self.project.classes.names,
            like=like,
            request=request,
            message=draft.source,
        )
