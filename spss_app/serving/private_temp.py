"""A temporary folder that nobody else can enter.

MONAI Label's endpoints take the name of a temporary file, delete the file and write to the name
again. In a folder that other users may write to, one of them can put a link there in between.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = re.compile(r"spss-(\d+)-[a-z0-9_]{8}")
_mine: list[Path] = []


def use_private_temp() -> Path:
    """Lets this process and its children keep temporary files in a folder of mode 0700.

    Folders that killed servers left behind are removed.
    """
    if _mine and _mine[0].is_dir():
        return _mine[0]
    shared = Path(tempfile.gettempdir())
    _remove_orphans(shared)
    folder = Path(tempfile.mkdtemp(prefix=f"spss-{os.getpid()}-", dir=shared))
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = str(folder)
    _mine[:] = [folder]
    return folder


def remove_private_temp() -> None:
    """Deletes the folder, if there is one, and goes back to the one shared by all."""
    while _mine:
        folder = _mine.pop()
        os.environ["TMPDIR"] = str(folder.parent)
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)


def _remove_orphans(shared: Path) -> None:
    for folder in shared.glob("spss-*"):
        match = _NAME.fullmatch(folder.name)
        if match and folder.is_dir() and not folder.is_symlink() and not _is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)  # another user's cannot be, and stays


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
