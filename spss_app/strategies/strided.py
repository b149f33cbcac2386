"""Strategy ``strided``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class Strided(NextPlane):
    """Planes through the middle of the organ, volumes spread evenly; new volumes first."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "strided", self.__doc__ or "")
