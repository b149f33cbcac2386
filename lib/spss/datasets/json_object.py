"""A file that must hold one JSON object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spss.errors import InputError


def read_json_object(path: Path, *, called: str, absent: str, holds: str) -> dict[str, Any]:
    """Reads it; each way in which it can be unusable is one sentence for the user.

    Args:
        path: of the file.
        called: what the sentences call it.
        absent: the sentence where there is no such file.
        holds: what its object must hold, after "must hold a JSON object".

    Raises:
        InputError: it is absent, no JSON, or no object.
    """
    if not path.is_file():
        raise InputError(absent)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        msg = f"{called} is not valid JSON ({error}): correct it."
        raise InputError(msg) from error
    if not isinstance(document, dict):
        msg = f"{called} must hold a JSON object{holds}."
        raise InputError(msg)
    return document
