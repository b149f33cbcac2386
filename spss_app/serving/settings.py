"""How ``spss serve`` tells the server process what to guard: one environment variable."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from spss.errors import InputError

VARIABLE = "SPSS_SERVE"

LOGINS = ("token", "realm", "none")


@dataclass(frozen=True)
class ServeSettings:
    """What ``spss serve`` was told.

    Attributes:
        host: address to listen on.
        port: port to listen on.
        login: token, realm (as MONAI Label's settings describe it) or none.
        token_file: file of `spss_app.serving.tokens.read_tokens`; needed for ``token``.
        origins: web pages that may call, beside the server's own.
        upload_gb: largest upload.
    """

    host: str
    port: int
    login: str
    token_file: str
    origins: tuple[str, ...]
    upload_gb: float

    @property
    def is_loopback(self) -> bool:
        """True if only programs of this machine reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def hand_on(self) -> None:
        """Leaves the settings where `read_settings` finds them, in children too."""
        os.environ[VARIABLE] = json.dumps(asdict(self))


def read_settings() -> ServeSettings:
    """The settings that ``spss serve`` left.

    Raises:
        InputError: the server was not started by ``spss serve``.
    """
    try:
        record = json.loads(os.environ[VARIABLE])
        return ServeSettings(**{**record, "origins": tuple(record["origins"])})
    except (KeyError, ValueError, TypeError) as error:
        msg = "This application is started by 'spss serve', which sets what it needs."
        raise InputError(msg) from error


def is_served() -> bool:
    """True in a server that ``spss serve`` started, and in its children."""
    return VARIABLE in os.environ
