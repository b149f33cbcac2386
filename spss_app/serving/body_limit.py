"""How much a request may bring, and how slowly."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import anyio

from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send, header

LARGEST_JSON_BYTES = 1024 * 1024
"""Requests without a file: parameters of trainings and strategies."""

DEFAULT_UPLOAD_GB = 2.0
SILENCE_SECONDS = 60.0
"""Longest pause inside an upload; a client that says nothing does not keep its place."""

_FILES = ("multipart/", "application/dicom")


class BodyLimit:
    """Refuses bodies that are too large (413) or stop coming (408).

    Without it MONAI Label writes any upload to the temporary folder before it looks at it.

    Args:
        upload_bytes: largest body of a request with files.
    """

    def __init__(
        self, app: AsgiApp, *, upload_bytes: int, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self.app = app
        self.upload_bytes = upload_bytes
        self.silence_seconds = silence_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a body that is counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with_files = header(scope, "content-type").lower().startswith(_FILES)
        limit = self.upload_bytes if with_files else min(LARGEST_JSON_BYTES, self.upload_bytes)
        announced = header(scope, "content-length")
        if announced and (not announced.isdecimal() or int(announced) > limit):
            raise _too_large(limit)
        body = _CountedBody(receive, limit, self.silence_seconds)
        try:
            await self.app(scope, body.receive, body.unless_refused(send))
        finally:
            if body.refused is not None:
                raise body.refused


class _CountedBody:
    """A request's body as it comes.

    What is refused looks to the endpoint as if the client had hung up; whatever it then answers is
    replaced by the refusal.
    """

    def __init__(self, receive: Receive, limit: int, silence_seconds: float) -> None:
        self.refused: RefusedError | None = None
        self._receive = receive
        self._limit = limit
        self._silence_seconds = silence_seconds
        self._taken = 0
        self._complete = False

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part, or a hanging-up in its place."""
        if self._complete:  # what comes now is only the real hanging-up, at any time
            return await self._receive()
        try:
            with anyio.fail_after(self._silence_seconds):
                message = await self._receive()
        except TimeoutError:
            seconds = f"{self._silence_seconds:.0f}"
            return self._refuse(RefusedError(408, f"Nothing arrived for {seconds} seconds."))
        self._taken += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message if self._taken <= self._limit else self._refuse(_too_large(self._limit))

    def unless_refused(self, send: Send) -> Send:
        """Sends answers as long as the body is not refused."""

        async def pass_on(message: MutableMapping[str, Any]) -> None:
            if self.refused is None:
                await send(message)

        return pass_on

    def _refuse(self, refused: RefusedError) -> MutableMapping[str, Any]:
        self.refused = refused
        self._complete = True
        return {"type": "http.disconnect"}


def _too_large(limit: int) -> RefusedError:
    size = f"{limit / 1024**3:.1f} GB" if limit >= 1024**3 else f"{limit / 1024**2:.1f} MB"
    return RefusedError(
        413, f"The request is larger than the {size} that are taken: crop or compress the image."
    )
