"""MONAI Label's endpoint functions, with a 4xx and a sentence where they fail with a 500."""

from __future__ import annotations

import errno
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import HTTPException, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from spss_app.serving.model_removal import noting
from spss_app.serving.who import WHO

_MARK = "_spss_answers"
_JSON_TEXTS = ("params", "info")
_LONGEST_FILE_NAME_BYTES = 200
_CHECKSUMS = ("SHA256", "SHA512", "MD5")
_AUTHORED = ("add_image", "save_label")
_MAKES_ARCHIVE = "download_dataset"
_REMOVES_MODEL = "delete_model"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "activelearning": ("sample",),
    "batch_infer": ("run",),
    "datastore": (
        "add_image",
        "download_dataset",
        "download_image",
        "download_label",
        "get_image_info",
        "get_label_info",
        "remove_image",
        "remove_label",
        "save_label",
        "update_image_info",
        "update_label_info",
    ),
    "infer": ("run_inference",),
    "model": ("delete_model", "download_model", "model_info", "update_model"),
    "scoring": ("run", "run_method"),
    "session": ("create_session", "get_session", "remove_session"),
    "train": ("run", "run_model"),
}
"""What MONAI Label's routes call, by module; a route looks the function up for each request."""


def install_answers() -> None:
    """Wraps the functions of those endpoint modules that are loaded, each once."""
    for module_name, names in FUNCTIONS.items():
        module = sys.modules.get(f"monailabel.endpoints.{module_name}")
        for name in names if module is not None else ():
            function = getattr(module, name)
            if not getattr(function, _MARK, False):
                noted = noting(function) if name == _REMOVES_MODEL else function
                setattr(module, name, _answering(noted))


def _answering(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        """Checks what comes in, signs it with the login's name, and checks what goes out."""
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            _check(name, value)
        if function.__name__ in _AUTHORED and WHO.get():
            given.arguments["params"] = _signed(given.arguments.get("params"))
        try:
            answer = _checked_answer(function(*given.args, **given.kwargs))
        except HTTPException as error:
            if error.status_code != 500:
                raise
            # MONAI Label's 500s of its own making all say what the request lacks
            raise HTTPException(422, error.detail) from error
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise HTTPException(507, "The server's disk is full: tell who runs it.") from error
        if function.__name__ == _MAKES_ARCHIVE:
            # MONAI Label leaves one archive of the whole data set behind for every download
            answer.background = BackgroundTask(os.unlink, answer.path)
        return answer

    setattr(wrapper, _MARK, True)
    return wrapper


def _signed(params: Any) -> str:
    """The parameters with the name of who is logged in, whatever the client calls itself."""
    parsed = json.loads(params) if isinstance(params, str) and params else {}
    return json.dumps({**parsed, "user": WHO.get(), "author": WHO.get()})


def _checked_answer(answer: Any) -> Any:
    """Refuses to send a folder: that is what a session of several files has for an image."""
    if isinstance(answer, FileResponse) and not os.path.isfile(answer.path):
        raise HTTPException(409, "There is no single file to send: it holds several, or is gone.")
    return answer


def _check(name: str, value: Any) -> None:
    """Refuses an argument that the endpoint would stumble over."""
    if name in _JSON_TEXTS and isinstance(value, str) and value:
        _check_object(name, value)
    if name == "check_sum" and isinstance(value, str):
        algorithm, colon, _ = value.partition(":")
        if colon and algorithm not in _CHECKSUMS:
            raise HTTPException(422, f"A checksum is made by one of {', '.join(_CHECKSUMS)}.")
    for upload in value if isinstance(value, list) else [value]:
        if isinstance(upload, UploadFile) or hasattr(upload, "filename"):
            _check_file_name(upload.filename or "")


def _check_object(name: str, text: str) -> None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"{name} is no valid JSON: {str(error)[:100]}.") from error
    if not isinstance(parsed, dict):
        kind = type(parsed).__name__
        raise HTTPException(422, f"{name} must be a JSON object, got {kind}.")


def _check_file_name(name: str) -> None:
    size = len(name.encode("utf-8", "replace"))
    if size > _LONGEST_FILE_NAME_BYTES or not name.isprintable():
        raise HTTPException(422, "The file's name is too long or holds control characters.")
