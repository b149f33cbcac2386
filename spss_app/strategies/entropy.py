"""Strategy ``entropy``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class Entropy(NextPlane):
    """The plane of largest mean entropy: a baseline that looks at nothing else."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "entropy", self.__doc__ or "")
