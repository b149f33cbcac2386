"""A figure as a file beside the page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spss.volumes import replace_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130


def save_figure(figure: Figure, path: Path) -> None:
    """Writes the file; whoever looks at the page meanwhile sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as unfinished:
        figure.savefig(unfinished, dpi=DPI)
