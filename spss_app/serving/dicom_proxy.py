"""The viewer's way to the DICOMweb server: images and their descriptions, nothing else of it.

MONAI Label glues any path to the server's address, with the server's stored password: ``..`` then
leads to the whole REST interface of a PACS. It also forwards the client's headers, drops the query
and waits for ever.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from typing import Any

import requests
from monailabel.config import settings
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send, header
from spss_app.serving.identity import demand_role

PREFIX = "/proxy/"
CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 60.0
_ALLOWED = re.compile(r"studies(/[A-Za-z0-9._-]+)*/?")
_OPERATIONS = ("wado", "qido", "stow")
_PASSED_ON = ("accept", "content-type")
_PASSED_BACK = ("content-type", "content-encoding", "content-length")
_CHUNK_BYTES = 256 * 1024
_SPOOLED_BYTES = 16 * 1024**2


class DicomProxy:
    """Takes the place of MONAI Label's ``/proxy``."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers ``/proxy/…``, passes all else on."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "POST"):
            raise RefusedError(405, "Only GET and POST go to the DICOM server.")
        await demand_role(scope, "annotator" if scope["method"] == "POST" else "user")
        path = upstream_path(scope["path"], scope["method"])
        request = Request(scope, receive)
        answer = await (_store(request, path) if scope["method"] == "POST" else _get(scope, path))
        await answer(scope, receive, send)


def upstream_path(path: str, method: str) -> str:
    """``/proxy/dicom/wado/studies/1.2`` → what follows the DICOMweb server's address.

    Raises:
        RefusedError: anything but ``studies`` and what lies below it; storing elsewhere.
    """
    operation, rest = "", path.removeprefix(f"{PREFIX}dicom/")
    if rest.partition("/")[0] in _OPERATIONS:
        operation, _, rest = rest.partition("/")
    dots = {".", ".."}.intersection(rest.split("/"))
    if not path.startswith(f"{PREFIX}dicom/") or dots or not _ALLOWED.fullmatch(rest):
        raise RefusedError(403, "Only addresses below studies/ of the DICOM server are served.")
    if method == "POST" and rest.count("/") > 1:
        raise RefusedError(403, "Images are stored at studies or studies/UID.")
    if operation == "qido" and rest.endswith("metadata"):
        operation = "wado"  # some versions of OHIF ask for it there
    prefix = str(getattr(settings, f"MONAI_LABEL_{operation.upper()}_PREFIX", None) or "")
    return "/".join(part.strip("/") for part in (prefix, rest) if part)


async def _get(scope: Scope, path: str) -> Response:
    query = scope["query_string"].decode("latin-1")
    return await run_in_threadpool(_ask, "GET", f"{path}?{query}" if query else path, scope, None)


async def _store(request: Request, path: str) -> Response:
    with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as body:
        async for part in request.stream():
            await run_in_threadpool(body.write, part)
        body.seek(0)
        return await run_in_threadpool(_ask, "POST", path, request.scope, body)


def _ask(method: str, path: str, scope: Scope, body: Any) -> Response:
    server = settings.MONAI_LABEL_STUDIES.rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise RefusedError(404, "The images here are files: there is no DICOM server behind this.")
    try:
        found = requests.request(
            method,
            f"{server}/{path}",
            auth=_password(),
            headers={name: value for name in _PASSED_ON if (value := header(scope, name))},
            data=body,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        )
    except requests.Timeout as error:
        raise RefusedError(504, "The DICOM server does not answer: try again later.") from error
    except requests.RequestException as error:
        raise RefusedError(502, "The DICOM server cannot be reached: try again later.") from error
    if found.is_redirect:
        found.close()
        raise RefusedError(502, "The DICOM server sends elsewhere, which is not followed.")
    headers = {name: found.headers[name] for name in _PASSED_BACK if name in found.headers}
    return StreamingResponse(
        _parts(found),
        status_code=found.status_code,
        headers=headers,
        background=BackgroundTask(found.close),
    )


def _parts(found: requests.Response) -> Iterator[bytes]:
    yield from found.raw.stream(_CHUNK_BYTES, decode_content=False)


def _password() -> tuple[str, str] | None:
    user = settings.MONAI_LABEL_DICOMWEB_USERNAME or settings.MONAI_LABEL_DATASTORE_USERNAME
    password = settings.MONAI_LABEL_DICOMWEB_PASSWORD or settings.MONAI_LABEL_DATASTORE_PASSWORD
    return (user, password) if user and password else None
