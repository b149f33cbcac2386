"""Images in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from spss_app.datastore.guarded import GuardedDatastore
from spss_app.datastore.names import IMAGE_ENDINGS


class LocalFolder(GuardedDatastore):
    """The images of one folder; what the app writes lies in the workspace.

    Args:
        images: the folder of the images. Only files directly in it are images.
        workspace: where the index and the labels go; usually the studies folder itself.
    """

    def __init__(self, images: Path, workspace: Path) -> None:
        images, workspace = Path(images).resolve(), Path(workspace).resolve()
        inside = images == workspace or workspace in images.parents
        super().__init__(
            str(workspace),
            images_dir=os.path.relpath(images, workspace) if inside else str(images),
            extensions=tuple(f"*{ending}" for ending in IMAGE_ENDINGS),
            auto_reload=False,
        )
