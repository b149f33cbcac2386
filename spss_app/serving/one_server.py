"""One server per folder: a second one is refused, with the pid of the first."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from spss.annotation.durable import write_durably
from spss.errors import InputError

LOCK_NAME = "server.lock"
HOLDER_NAME = "server.json"

_held: dict[Path, BaseFileLock] = {}
_guard = threading.Lock()


def take_folder(own: Path) -> None:
    """Makes this process the one server of an app folder, until it ends.

    The operating system holds the lock, not a file's content or time: when the holder dies, by
    ``kill -9`` too, the lock is free at once, and no clock can make it look stale. Processes that
    one server starts for its own requests (``--workers``) share it; training and scoring never
    take it.

    Args:
        own: the app's own folder in the workspace.

    Raises:
        InputError: another server runs on this folder, or the folder cannot be written.
    """
    own = own.resolve()
    with _guard:
        if own in _held:
            return
        lock = _open(own)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if _is_sibling(_holder(own)):
                return
            raise InputError(_refusal(own)) from error
        except OSError as error:
            raise InputError(_cannot_write(own, error)) from error
        _held[own] = lock
        _sign(own)


def release_folder(own: Path) -> None:
    """Lets another server have the folder; the end of the process does so too."""
    with _guard:
        lock = _held.pop(own.resolve(), None)
        if lock is not None:
            lock.release()


def _open(own: Path) -> BaseFileLock:
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(_cannot_write(own, error)) from error
    return FileLock(own / LOCK_NAME, thread_local=False)


def _sign(own: Path) -> None:
    """Writes down who holds the lock, for the sentence that a second server says."""
    record = {
        "pid": _server_pid(),
        "host": socket.gethostname(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    try:
        write_durably(own / HOLDER_NAME, json.dumps(record).encode())
    except OSError as error:
        raise InputError(_cannot_write(own, error)) from error


def _server_pid() -> int:
    """The pid that ends the server: for one of several workers that of their parent."""
    return os.getppid() if multiprocessing.parent_process() is not None else os.getpid()


def _is_sibling(holder: dict[str, Any]) -> bool:
    """True for a worker beside the one that took the lock."""
    return multiprocessing.parent_process() is not None and holder.get("pid") == os.getppid()


def _holder(own: Path) -> dict[str, Any]:
    try:
        record = json.loads((own / HOLDER_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _refusal(own: Path) -> str:
    holder = _holder(own)
    who = f"process {holder['pid']}" if holder.get("pid") else "another process"
    host = holder.get("host")
    place = "" if host in (None, socket.gethostname()) else f" on {host}"
    return (
        f"A server already runs on {own.parent} ({who}{place}): use that one, or stop it first. "
        "Two servers on one folder would show each annotator half of the work."
    )


def _cannot_write(own: Path, error: OSError) -> str:
    return (
        f"The folder {own} cannot be written ({error.strerror}): give the server a writable one "
        "with --conf workspace DIR."
    )
