"""No patient's name, image id or path in the log at INFO."""

from __future__ import annotations

import logging

_TALKATIVE = (
    "monailabel.datastore",
    "monailabel.endpoints",
    "monailabel.interfaces",
    "monailabel.utils.async_tasks",
    "monailabel.utils.sessions",
)
"""MONAI Label's modules that write ids, paths and whole requests at INFO."""


def keep_ids_out_of_logs() -> None:
    """Lets those modules only warn, unless the log is to hold everything (DEBUG)."""
    if logging.getLogger().getEffectiveLevel() <= logging.DEBUG:
        return
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
