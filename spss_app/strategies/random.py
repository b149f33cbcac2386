"""Strategy ``random``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class Random(NextPlane):
    """Any volume, any plane: the baseline."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "random", self.__doc__ or "")
