"""Strategy ``self_paced``."""

from __future__ import annotations

from spss_app.project import Project
from spss_app.strategies.next_plane import NextPlane


class SelfPaced(NextPlane):
    """Asks where the network is least sure; before there is one, as strided."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, "self_paced", self.__doc__ or "")
