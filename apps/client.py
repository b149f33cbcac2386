"""MONAI Label's own client, with the server's sentences instead of its stack traces."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spss.errors import InputError

if TYPE_CHECKING:
    from monailabel.client import MONAILabelClient


def connect(url: str, *, downloads: Path) -> MONAILabelClient:
    """A client of the server at ``url`` that keeps what it downloads in ``downloads``."""
    with warnings.catch_warnings():
        # MONAI Label's client imports cgi, deprecated until Python 3.13 removed it
        warnings.simplefilter("ignore", DeprecationWarning)
        from monailabel.client import MONAILabelClient
    downloads.mkdir(parents=True, exist_ok=True)
    return MONAILabelClient(url, tmpdir=str(downloads), client_id="simulated-annotator")


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turns the client's exceptions into one sentence.

    Raises:
        InputError: the server refused; the message says ``what`` was asked and what it answered.
    """
    from monailabel.client.client import MONAILabelClientException

    try:
        yield
    except MONAILabelClientException as error:
        msg = f"The server refused to {what}: {_detail(error.msg)}"
        raise InputError(msg) from error


def _detail(message: Any) -> str:
    """``Status: 404; Response: {"detail": "…"}`` → ``…``."""
    text = str(message)
    start = text.find("{")
    if start >= 0:
        try:
            return str(json.loads(text[start:])["detail"])
        except (ValueError, KeyError, TypeError):
            return text
    return text
