"""dicomweb-client with time-outs, without retries and tracebacks."""

from __future__ import annotations

import logging
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from monailabel.datastore.dicom import DICOMwebClientX
from requests.adapters import HTTPAdapter

CONNECT_SECONDS = 3.0


def make_client(
    url: str, auth: Any, prefixes: tuple[str | None, str | None, str | None], read_seconds: float
) -> DICOMwebClient:
    """A client whose requests all end.

    Args:
        url: root of QIDO-RS, WADO-RS and STOW-RS.
        auth: of the requests, if the server wants any.
        prefixes: path prefixes of QIDO, WADO and STOW below ``url``.
        read_seconds: longest silence of the server.
    """
    session = requests.Session()
    session.auth = auth
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TimeoutAdapter(read_seconds))
    qido, wado, stow = prefixes
    client = DICOMwebClientX(
        url=url,
        session=session,
        qido_url_prefix=qido,
        wado_url_prefix=wado,
        stow_url_prefix=stow,
    )
    # It logs a traceback for every failed request, which is reported here in one sentence.
    logging.getLogger("retrying").setLevel(logging.CRITICAL)
    # Its own retries wait up to 30 s inside a request that a person is waiting for.
    client.set_http_retry_params(retry=False)
    return client


class _TimeoutAdapter(HTTPAdapter):
    """Gives every request a time-out; dicomweb-client itself sets none."""

    def __init__(self, read_seconds: float) -> None:
        self._timeout = (CONNECT_SECONDS, read_seconds)
        super().__init__()

    def send(self, request: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Sends with the time-out unless the caller gave one."""
        options["timeout"] = options.get("timeout") or self._timeout
        return super().send(request, **options)
