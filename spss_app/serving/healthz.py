"""``/healthz``: is the server up, and can it keep what it is given?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from starlette.responses import JSONResponse

from spss_app.serving.answers import AsgiApp, Receive, Scope, Send

LEAST_FREE_MB = 200
"""A submit writes a few label maps; with less than this the next one may fail."""

_watched: list[Path] = []


class Healthz:
    """Answers without a login and names nothing: no path, no version, no count."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers ``/healthz`` with 200 or 503, passes all else on."""
        if scope["type"] == "http" and scope["path"] == "/healthz":
            problems = find_problems()
            status = 503 if problems else 200
            body = {"status": "unwell" if problems else "ok", "problems": problems}
            await JSONResponse(body, status, {"Cache-Control": "no-store"})(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def watch(folder: Path) -> None:
    """Names the folder that must stay writable."""
    _watched[:] = [folder]


def find_problems() -> list[str]:
    """What would keep the next submit from being kept."""
    return judge_folder(_watched[0]) if _watched else ["the application is not loaded"]


def judge_folder(folder: Path) -> list[str]:
    """Whether a folder can take what annotators send."""
    if not os.access(folder, os.W_OK):
        return ["the workspace cannot be written"]
    if shutil.disk_usage(folder).free < LEAST_FREE_MB * 1024**2:
        return [f"the workspace has less than {LEAST_FREE_MB} MB free"]
    return []
