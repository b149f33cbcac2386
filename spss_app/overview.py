"""``GET /spss/overview``: the state of the whole task in one answer, for dashboards.

MONAI Label's own endpoints cannot say it: "next sample" hands a volume out to whoever asks, and
``/info/`` knows one number of a training. This answer changes nothing, leases nothing and reads no
voxel, so that a page may ask for it again and again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spss.suggestion import ImageState, suggest
from spss_app.http_errors import answers_http
from spss_app.strategies.next_plane import describe
from spss_app.train.held_out import split

if TYPE_CHECKING:
    from spss_app.project import Project

PATH = "/spss/overview"
LONGEST_QUEUE = 50
_LONGEST_CURVE = 500
_CURVE_KEYS = ("iteration", "seconds", "loss", "validation_dice")


def overview(project: Project, *, queue: int = 12) -> dict[str, Any]:
    """Volumes with their state, the next suggestions, the training and the networks.

    Args:
        project: the server's parts.
        queue: suggestions at most, each in another volume.

    Returns:
        ``images`` (id, name, state ``untouched``, ``planes`` or ``dense``, planes, held_out),
        ``queue`` (image, its file's name, and what "next sample" says of a plane), ``broken``
        (id → sentence), ``training`` (status, curve) and ``models`` (records, oldest first).
    """
    states, broken = project.image_states()
    chosen = suggest(
        states,
        axis=project.options.axis,
        rng=np.random.default_rng(0),  # the same page for the same state
        count=min(queue, LONGEST_QUEUE),
        class_names=project.classes.names,
    )
    annotated = [state.image_id for state in states if state.dense or state.planes]
    held_out = set(split(annotated, project.options.held_out)[1])
    of = {state.image_id: state for state in states}
    return {
        "classes": list(project.classes.names),
        "images": [_image(project, state, held_out) for state in states],
        "broken": broken,
        "queue": [
            {
                "image": found.image_id,
                "file": str(project.store.get_image_info(found.image_id).get("name", "")),
                **describe(found, of[found.image_id].affine, of[found.image_id].shape),
            }
            for found in chosen
        ],
        "training": _training(project.models.root),
        "models": _models(project),
    }


def install_overview() -> None:
    """Adds the route to the running server, once; a training's own process has no server."""
    server = sys.modules.get("monailabel.app")
    if server is None or any(getattr(route, "path", "") == PATH for route in server.app.routes):
        return
    from fastapi import APIRouter, Depends, Query
    from monailabel.config import RBAC_USER, settings
    from monailabel.endpoints.user.auth import RBAC
    from monailabel.interfaces.utils.app import app_instance

    router = APIRouter(tags=["App"])

    # no `async`: files are read here, and requests of annotators must not wait for it
    @router.get(PATH, summary=f"{RBAC_USER}Volumes, next planes, training and networks")
    @answers_http
    def answer(
        queue: int = Query(12, ge=0, le=LONGEST_QUEUE),
        user: Any = Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_USER)),  # noqa: B008
    ) -> dict[str, Any]:
        """Volumes, the queue of next planes, training and networks, in one answer."""
        return overview(app_instance().project, queue=queue)

    server.app.include_router(router, prefix=settings.MONAI_LABEL_API_STR)


def _image(project: Project, state: ImageState, held_out: set[str]) -> dict[str, Any]:
    """One volume's row."""
    affine = np.eye(4) if state.affine is None else state.affine
    kind = "dense" if state.dense else "planes" if state.planes else "untouched"
    return {
        "id": state.image_id,
        "name": _name(project, state.image_id),
        "shape": list(state.shape),
        "state": kind,
        "planes": [
            {"axis": p.axis, "index": p.index, "name": p.anatomical_name(affine)}
            for p in state.planes
        ],
        "held_out": state.image_id in held_out,
    }


def _name(project: Project, image_id: str) -> str:
    """What a person calls it: of images from a PACS the patient's id."""
    info = project.store.get_image_info(image_id)
    return str(info.get("PatientID") or image_id)


def _training(root: Path) -> dict[str, Any]:
    """What the last training says of itself, and its curve."""
    try:
        status = json.loads((root / "train_status.json").read_bytes())
    except (OSError, ValueError):
        status = {}
    logs = sorted(root.glob("*/log.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return {"status": status, "curve": _curve(logs[-1]) if logs else []}


def _curve(log: Path) -> list[dict[str, float]]:
    """The newest run in a log, one point a round; its last line may be half written."""
    points: list[dict[str, float]] = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("event") == "start" and not entry.get("iteration"):
            points = []
        if entry.get("event") == "round":
            points.append({key: entry[key] for key in _CURVE_KEYS if key in entry})
    return points[-_LONGEST_CURVE:]


def _models(project: Project) -> list[dict[str, Any]]:
    """Every kept network, oldest first, and which one answers; torn records are passed over."""
    published = project.models.published()
    records = []
    files = project.models.root.glob("*/record.json")
    for file in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        try:
            record = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        records.append(
            {
                "version": record.get("version"),
                "method": record.get("method"),
                "trained_on": len(record.get("trained_on", ())),
                "held_out": len(record.get("held_out", ())),
                "held_out_dice": record.get("best_metric"),
                "in_use": published is not None and published.version == record.get("version"),
            }
        )
    return records
