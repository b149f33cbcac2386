"""Short HTTP answers of the guards: a status and one sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class RefusedError(Exception):
    """A guard does not let a request pass; `Refusals` turns it into the answer."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.answer = JSONResponse({"detail": sentence}, status, headers)


class Refusals:
    """Outermost: turns `RefusedError` of the guards behind it into an answer."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; a web socket, which nothing here needs, is closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False

        async def note(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note)
        except RefusedError as refused:
            if started:
                raise
            await refused.answer(scope, receive, send)


def header(scope: Scope, name: str) -> str:
    """A request header's value, or ``""``; of several the first."""
    wanted = name.lower().encode()
    return next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == wanted), "")
