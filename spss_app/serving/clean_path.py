"""Paths that could mean another place than they seem to are refused."""

from __future__ import annotations

import re

from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send

_ENCODED = re.compile(rb"%(2e|2f|5c|00|25)", re.IGNORECASE)
"""Percent-encoded ``.``, ``/``, ``\\``, NUL and ``%``: a second decoder would see another path."""

LONGEST_PATH = 2000


class CleanPath:
    """Refuses ``..``, ``//``, backslashes, control characters and their encoded forms in paths.

    Ids and file names travel as query parameters, so no viewer's request is touched.
    """

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it with 400."""
        if scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            if _ENCODED.search(raw) or not is_clean(scope["path"]):
                raise RefusedError(400, "The address holds '..', '//' or an encoded separator.")
        await self.app(scope, receive, send)


def is_clean(path: str) -> bool:
    """True if no normalisation would change the path."""
    if len(path) > LONGEST_PATH or "\\" in path or "//" in path or not path.isprintable():
        return False
    return not {".", ".."}.intersection(path.split("/"))
