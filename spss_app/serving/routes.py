"""MONAI Label's routes that are for few, or are better not asked as they are."""

from __future__ import annotations

import shutil
from urllib.parse import parse_qs

from monailabel.config import settings
from starlette.responses import PlainTextResponse

from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send
from spss_app.serving.identity import demand_role

_MOST_LINES = 10_000
_BACKGROUND = ("/train", "/batch", "/scoring")

FRONT_PAGE = """SPSS for MONAI Label is running.

viewer for DICOMweb studies   /ohif/
all requests                  /openapi.json
is it well?                   /healthz
"""


class AdminRoutes:
    """``/reload``, ``/logs`` and changes of models, which MONAI Label leaves open or half open."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            if path == "/reload" and not settings.MONAI_LABEL_AUTH_ENABLE:
                raise RefusedError(403, "Reloading needs an admin's login: restart the server.")
            changes_model = path.startswith("/model/") and method in ("PUT", "DELETE")
            if path == "/reload" or changes_model:
                await demand_role(scope, "admin")
            if path.startswith("/spss/"):  # this app's own routes ask for no token themselves
                await demand_role(scope, "user")
            if path.startswith(_BACKGROUND) and _wants_sync(scope):
                raise RefusedError(422, "With run_sync nobody else is answered: leave it out.")
            if path.startswith("/infer/wsi"):
                raise RefusedError(422, "Whole-slide images are not read here: use /infer/spss.")
            if path.startswith("/logs"):
                await demand_role(scope, "admin")
                scope = _plain_log(scope)
        await self.app(scope, receive, send)


class FrontPage:
    """A page without scripts in place of those that load theirs from other sites."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers ``/``; refuses ``/docs``; passes all else on."""
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            await PlainTextResponse(FRONT_PAGE)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] == "/docs":
            raise RefusedError(404, "This page loads scripts from elsewhere: read /openapi.json.")
        await self.app(scope, receive, send)


def _wants_sync(scope: Scope) -> bool:
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("run_sync", [])
    return any(value.lower() not in ("false", "0", "no", "off", "f", "n") for value in asked)


def _plain_log(scope: Scope) -> Scope:
    """The log as text: MONAI Label's page around it runs scripts of two other sites."""
    if scope["path"].startswith("/logs/gpu"):
        if shutil.which("nvidia-smi") is None:
            raise RefusedError(404, "This machine has no nvidia-smi.")
        return scope
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("lines", ["300"])[-1]
    lines = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 300
    query = f"lines={min(max(lines, 1), _MOST_LINES)}&html=false&text=true"
    return {**scope, "query_string": query.encode()}
