"""Write a file so that a crash at any byte leaves either the old file or the whole new one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path``; the file appears, or changes, in one step.

    The bytes go to a temporary name beside it, reach the disk (fsync), and are renamed. On POSIX
    the rename is atomic, so another process sees the old content or the new one, never a part.
    The folder is flushed as well, so that the rename survives a power cut.

    Raises:
        OSError: the disk is full, or the folder cannot be written; ``path`` is as it was.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is lost with the power as long as its folder has not reached the disk."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # some systems cannot open a folder
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
