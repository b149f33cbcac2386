"""What the strategies know of all images, gathered quickly: thousands of them at each question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from spss.annotation import folder_name
from spss.annotation.fold import Standing
from spss.errors import InputError, NotReadyError
from spss.suggestion import ImageState
from spss.volumes import Grid

if TYPE_CHECKING:
    from spss_app.project import Project


def read_states(
    project: Project, files: Mapping[str, Path], remote: Iterable[str]
) -> tuple[list[ImageState], dict[str, str]]:
    """One state an image that can be read, and why the others cannot.

    Args:
        project: the server's parts.
        files: image → file, of the images that are here.
        remote: images to fetch from a remote server now.
    """
    grids: dict[str, Grid] = {}
    broken: dict[str, str] = {}
    for image_id, path in files.items():
        try:
            grids[image_id] = project.volumes.grid(path)
        except (InputError, NotReadyError) as error:
            broken[image_id] = str(error)
    for image_id in remote:
        try:
            grids[image_id] = project.grid(image_id)
        except (InputError, NotReadyError) as error:
            broken[image_id] = str(error)
    model = project.models.published()
    known = project.known.of(
        {image_id: grid.shape for image_id, grid in grids.items()},
        class_names=project.classes.names,
        model=None if model is None else model.version,
    )
    standings = _standings(project, grids)
    states = []
    for image_id, grid in grids.items():
        standing, shape = standings[image_id], grid.shape
        states.append(
            ImageState(
                image_id=image_id,
                shape=shape,
                spacing_mm=grid.spacing_mm,
                affine=grid.affine,
                planes=tuple(p for p in standing.planes if p.index < shape[p.axis]),
                dense=standing.dense,
                **vars(known[image_id]),
            )
        )
    return states, broken


def _standings(project: Project, image_ids: Iterable[str]) -> dict[str, Standing]:
    """Only images with a folder in the ledger are asked about; most have none."""
    root = project.ledger.root
    folders = {path.name for path in root.iterdir()} if root.is_dir() else set()
    nothing = Standing()
    return {
        image_id: project.ledger.standing(image_id)
        if folders and _folder_of(image_id) in folders
        else nothing
        for image_id in image_ids
    }


@lru_cache(maxsize=100_000)
def _folder_of(image_id: str) -> str:
    return folder_name(image_id)
