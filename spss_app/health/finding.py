"""One thing the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    """The server could not start."""


@dataclass(frozen=True)
class Finding:
    """What was found and, if it is not well, the command or setting that mends it."""

    level: Level
    text: str
    mend: str = ""
