"""Which web pages may call the server."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from spss.errors import InputError
from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send, header

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


class Origins:
    """Answers pages of the server itself and of named origins; others are refused with 403.

    MONAI Label answers pages of every origin, and with named ones none: pydantic 2 appends a slash
    that no browser sends. Programs that are no browser send no origin and pass.

    Args:
        named: ``https://viewer.example.org`` and the like.
    """

    def __init__(self, app: AsgiApp, *, named: Sequence[str] = ()) -> None:
        self.named = frozenset(named)
        self._app = app
        self._cors = CORSMiddleware(
            self._checked,
            allow_origins=sorted(self.named),
            allow_methods=["*"],
            allow_headers=["*"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers preflight requests itself, passes others on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, "origin")
        if origin and origin not in self.named and not _is_own(origin, scope):
            raise RefusedError(
                403,
                f"Web pages of {origin[:100]} may not call this server: start it with "
                "spss serve --origin, or set MONAI_LABEL_CORS_ORIGINS.",
            )
        await self._cors(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hides the origin: MONAI Label would answer any."""
        headers = [(key, value) for key, value in scope["headers"] if key.lower() != b"origin"]
        await self._app({**scope, "headers": headers}, receive, send)


class Hosts:
    """Refuses requests that came under another name, with 421.

    A page of a foreign site can let its own name point to this machine (DNS rebinding); to the
    browser it is then the server's own page.

    Args:
        names: host names without port; the loopback names are added.
    """

    def __init__(self, app: AsgiApp, *, names: Sequence[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in (*names, *LOOPBACK_NAMES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] == "http":
            name = host_name(f"//{header(scope, 'host')}")
            if name not in self.names:
                raise RefusedError(
                    421, f"This server is not known as {name[:100]!r}: name it with --origin."
                )
        await self.app(scope, receive, send)


def check_origin(origin: str) -> str:
    """The origin as browsers send it: scheme, host, port, and no slash.

    Raises:
        InputError: it is no origin.
    """
    parts = urlsplit(origin.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        msg = f"{origin!r} is no origin: write http://host:port or https://host."
        raise InputError(msg)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def host_name(address: str) -> str:
    """The host of an address, lower case, without port; ``""`` if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_own(origin: str, scope: Scope) -> bool:
    """The page came from the address that it now calls (behind a proxy the scheme may differ)."""
    return urlsplit(origin).netloc.lower() == header(scope, "host").lower() != ""
