"""The audit log: who did what to which image and when, one JSON line each, only ever appended."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock

_LOCK_SECONDS = 30.0
_TAIL_BYTES = 64 * 1024
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class AuditProblem:
    """A line that is torn, or that does not follow from the one before it.

    Attributes:
        line: its number, from 1.
        reason: in words.
    """

    line: int
    reason: str


class AuditLog:
    """A file of JSON lines that follow from each other.

    A line has ``time`` (UTC), ``who``, ``action``, ``image``, ``sha256`` of what was written,
    further facts, and ``previous``, the SHA-256 of the line before. Since every line holds the hash
    of its predecessor, a line that was changed, taken out or put in later is found by `problems`;
    cutting off the end is not, unless the last hash is kept elsewhere. A line that a kill tore is
    closed with a newline and stays. Several processes may write. The file holds image ids and
    names of people: it is readable by its owner only.

    Args:
        path: the file; made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def write(
        self, action: str, *, image: str = "", who: str = "", sha256: str = "", **facts: Any
    ) -> None:
        """Appends a line and flushes it to the disk.

        Args:
            action: ``submit``, ``save_label``, ``remove_label``, ``import``, ``export``,
                ``restore``, ``train``, ``publish``, ``remove_model``, …
            image: image id, if the action concerns one.
            who: author or user, as far as known.
            sha256: of the label, model or file that was written.
            facts: further plain values.

        Raises:
            OSError: the line could not be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=_LOCK_SECONDS):
            last = self._last_line()
            record = {
                "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                "action": action,
                "who": who[:_LONGEST_TEXT],
                "image": image[:_LONGEST_TEXT],
                "sha256": sha256,
                **facts,
                "previous": _digest(last) if last else "",
            }
            line = json.dumps(record, ensure_ascii=False, default=str).encode() + b"\n"
            if last and not last.endswith(b"\n"):
                line = b"\n" + line
            self._append(line)

    def lines(self) -> Iterator[dict[str, Any]]:
        """The readable records, oldest first."""
        for line in self._raw_lines():
            record = _parse(line)
            if record is not None:
                yield record

    def problems(self) -> list[AuditProblem]:
        """Lines that are torn, and lines before which something was changed."""
        found, before = [], b""
        for number, line in enumerate(self._raw_lines(), start=1):
            record = _parse(line)
            if record is None:
                found.append(AuditProblem(number, "is torn or no JSON"))
            elif record.get("previous") != (_digest(before) if before else ""):
                found.append(AuditProblem(number, "does not follow from the line before it"))
            before = line
        return found

    def _append(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            written = 0
            while written < len(line):
                written += os.write(handle, line[written:])
            os.fsync(handle)
        finally:
            os.close(handle)

    def _raw_lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []

    def _last_line(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                tail = file.read()
        except FileNotFoundError:
            return b""
        lines = tail.splitlines(keepends=True)
        return lines[-1] if lines else b""


def sha256_of(file: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def this_user() -> str:
    """The name of the person at the command line; empty if the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return ""


def _digest(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
