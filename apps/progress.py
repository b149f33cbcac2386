"""Progress bars, one a stage: live on a terminal, a few lines in a log file."""

from __future__ import annotations

import sys

from tqdm import tqdm

LOG_SECONDS = 20.0
"""Least time between two lines where the output is a file."""


BAR = "{desc:<30} {percentage:3.0f}%|{bar:30}| {elapsed}{postfix}"
WAIT = "{desc:<30} {elapsed}"


def progress_bar(title: str, total: int | None = None) -> tqdm[None]:
    """A bar of ``total`` steps; without ``total`` only the time that has passed."""
    interval = 0.2 if sys.stderr.isatty() else LOG_SECONDS
    return tqdm(
        total=total,
        desc=title,
        mininterval=interval,
        maxinterval=max(interval, 1.0),
        bar_format=WAIT if total is None else BAR,
    )
