"""What a dashboard reads of a running server, through its HTTP API alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from spss.annotation.durable import write_durably
from spss.errors import InputError, NotReadyError
from spss_app.datastore.names import IMAGE_ENDINGS

_SECONDS = 60.0
_IMAGE_SECONDS = 600.0


class DashboardReader:
    """A server, its token, and the images fetched so far.

    Args:
        server: its address.
        token: sent as a bearer token; empty for a server without.
        images: folder for fetched images, so that each is fetched once.
    """

    def __init__(self, server: str, token: str = "", *, images: Path) -> None:
        self.url = server.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            msg = f"The server's address must begin with http:// or https://, got {server!r}."
            raise InputError(msg)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._images = images
        self._pictures: dict[tuple[str, int, int], bytes | None] = {}

    def overview(self, queue: int) -> dict[str, Any]:
        """The answer of ``/spss/overview``.

        Raises:
            NotReadyError: the server is away or in trouble.
            InputError: it wants a token, or is no SPSS server.
        """
        with self._get("/spss/overview", {"queue": queue}, _SECONDS) as answer:
            try:
                found: dict[str, Any] = answer.json()
            except requests.JSONDecodeError as error:
                raise InputError(self._stranger()) from error
        if "queue" not in found:
            raise InputError(self._stranger())
        return found

    def thumbnail(self, suggestion: Mapping[str, Any]) -> bytes | None:
        """PNG of a suggested plane; None if its image cannot be had or read."""
        key = (str(suggestion["image"]), int(suggestion["axis"]), int(suggestion["index"]))
        if key not in self._pictures:
            self._pictures[key] = self._draw(suggestion)
        return self._pictures[key]

    def _draw(self, suggestion: Mapping[str, Any]) -> bytes | None:
        """The suggested plane of one volume; None where it cannot be read."""
        import numpy as np

        from spss.annotation import Plane
        from spss.volumes import read_image
        from spss_apps.pictures import plane_picture

        try:
            volume = read_image(self._image(str(suggestion["image"]), str(suggestion["file"])))
        except (InputError, NotReadyError):
            return None
        nothing = np.zeros(volume.shape, np.uint8)
        plane = Plane(int(suggestion["axis"]), int(suggestion["index"]))
        return plane_picture(volume, nothing, plane)

    def _image(self, image_id: str, file_name: str) -> Path:
        """Downloads a volume once and keeps it."""
        ending = next((end for end in IMAGE_ENDINGS if file_name.endswith(end)), ".nii.gz")
        # not named by the id, which may hold anything, also a path
        path = self._images / f"{hashlib.sha256(image_id.encode()).hexdigest()[:24]}{ending}"
        if not path.exists():
            with self._get("/datastore/image", {"image": image_id}, _IMAGE_SECONDS) as answer:
                write_durably(path, answer.content)
        return path

    def _get(self, path: str, params: Mapping[str, Any], seconds: float) -> requests.Response:
        """One request; what went wrong becomes a sentence that says what to do."""
        try:
            answer = requests.get(
                self.url + path, params=params, headers=self._headers, timeout=seconds
            )
        except requests.RequestException as error:
            msg = f"The server {self.url} does not answer: is it running there?"
            raise NotReadyError(msg) from error
        if answer.ok:
            return answer
        answer.close()
        if answer.status_code in (401, 403):
            given = "does not take this token" if self._headers else "wants a token"
            msg = f"The server {self.url} {given}: set SPSS_TOKEN or give --token-file."
            raise InputError(msg)
        if answer.status_code == 404 and path.startswith("/spss"):
            raise InputError(self._stranger())
        msg = f"The server {self.url} answered {path} with HTTP {answer.status_code}: see its log."
        raise NotReadyError(msg)

    def _stranger(self) -> str:
        return f"The server {self.url} has no overview: is it running this version of SPSS?"
