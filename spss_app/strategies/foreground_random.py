"""Strategy ``foreground_random``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class ForegroundRandom(NextPlane):
    """Any volume, any plane through the organ as drafts and predictions show it."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "foreground_random", self.__doc__ or "")
