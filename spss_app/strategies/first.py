"""Strategy ``first``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class First(NextPlane):
    """The first volume of the list that is not finished."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "first", self.__doc__ or "")
