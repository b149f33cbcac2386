"""Removing the network is on record: MONAI Label sets the file aside and tells nobody."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monailabel.interfaces.utils.app import app_instance

from spss.studies.audit import sha256_of


def noting(delete_model: Callable[..., Any]) -> Callable[..., Any]:
    """MONAI Label's function with a line of the audit log after each removal.

    Args:
        delete_model: takes the model's name; raises if there is nothing to remove.
    """

    @functools.wraps(delete_model)
    def wrapper(model: str) -> Any:
        """Takes the file's checksum while it is there; notes only what was removed."""
        app = app_instance()
        file = app.model_file(model)
        digest = sha256_of(Path(file)) if file and Path(file).is_file() else ""
        answer = delete_model(model)
        if hasattr(app, "project"):  # another app of the same process keeps no such log
            app.project.store.note("remove_model", sha256=digest, model=model[:100])
        return answer

    return wrapper
