"""Every version of a label over HTTP: ``/datastore/label/history`` and ``/restore``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from spss.annotation.versions import versions
from spss_app.http_errors import answers_http

if TYPE_CHECKING:
    from spss_app.app import SpssApp

HISTORY = "/datastore/label/history"
RESTORE = "/datastore/label/restore"
NOTHING = "none"
"""In place of an entry: as before any annotation."""

_LONGEST_AUTHOR = 100


@answers_http
def history(app: SpssApp, image_id: str) -> dict[str, Any]:
    """Every version of an image's label, oldest first; damaged files are counted."""
    app.project.store.object_of(image_id)
    listed = [each.to_json() for each in versions(app.project.ledger.history(image_id))]
    return {"image": image_id, "versions": listed}


@answers_http
def restore(app: SpssApp, image_id: str, entry_id: str, *, author: str) -> dict[str, Any]:
    """Makes a version the current one, by a new entry; the label file follows.

    Raises:
        HTTPException: 404 for an unknown image, 422 for an unknown version.
    """
    project = app.project
    project.store.object_of(image_id)
    wanted = "" if entry_id == NOTHING else entry_id
    entry = project.ledger.restore(image_id, wanted, author=author[:_LONGEST_AUTHOR])
    app.submitter.republish(image_id)
    project.store.note("restore", image=image_id, who=author, entry=entry.id, restores=wanted)
    standing = project.ledger.standing(image_id)
    planes = [{"axis": plane.axis, "index": plane.index} for plane in standing.planes]
    return {
        "image": image_id,
        "entry": entry.id,
        "restores": wanted,
        "planes": planes,
        "dense": standing.dense,
    }


def install_versions() -> None:
    """Adds the routes to the running server, once; a training's own process has no server."""
    server = sys.modules.get("monailabel.app")
    if server is None or any(getattr(r, "path", "").endswith(HISTORY) for r in server.app.routes):
        return
    from fastapi import APIRouter, Depends
    from monailabel.config import RBAC_ANNOTATOR, settings
    from monailabel.endpoints.user.auth import RBAC
    from monailabel.interfaces.utils.app import app_instance

    router = APIRouter(tags=["Datastore"])
    annotator = Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_ANNOTATOR))

    # no `async`: files are read here, and requests of others must not wait for it
    @router.get(HISTORY, summary=f"{RBAC_ANNOTATOR}Every version of an image's label")
    def answer_history(image: str, user: Any = annotator) -> dict[str, Any]:
        """Every version of one image's label, with author and time."""
        return history(app_instance(), image)

    @router.put(RESTORE, summary=f"{RBAC_ANNOTATOR}Make a version of a label the current one")
    def answer_restore(
        image: str, entry: str, author: str = "", user: Any = annotator
    ) -> dict[str, Any]:
        """A new version with an old one's content; the login, if there is one, signs it."""
        who = getattr(user, "username", "") if settings.MONAI_LABEL_AUTH_ENABLE else author
        return restore(app_instance(), image, entry, author=who or author)

    server.app.include_router(router, prefix=settings.MONAI_LABEL_API_STR)
