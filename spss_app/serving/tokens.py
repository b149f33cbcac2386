"""Secret tokens: made for one run, or read from a file with one for each person."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from spss.errors import InputError

SHORTEST_TOKEN = 16
_ROLES = ("user", "annotator", "reviewer", "admin")


@dataclass(frozen=True)
class Holder:
    """Who holds a token.

    Attributes:
        name: goes into the server's records of who did what.
        role: user, annotator, reviewer or admin.
    """

    name: str
    role: str


class Tokens:
    """The tokens of one server; only their hashes stay in memory."""

    def __init__(self, holders: dict[str, Holder]) -> None:
        self._by_hash = {_hash(token): holder for token, holder in holders.items()}

    def holder(self, token: str) -> Holder | None:
        """Who holds the token, or None."""
        return self._by_hash.get(_hash(token))


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def read_tokens(path: Path) -> Tokens:
    """Reads lines ``TOKEN [ROLE [NAME]]``; ``#`` begins a comment; the role is admin if not given.

    Raises:
        InputError: the file is missing, others may read it, or a line cannot be used.
    """
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The token file {path} cannot be read ({error}): see 'spss serve --help'."
        raise InputError(msg) from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"Other users may read the token file {path}: chmod 600 {path}"
        raise InputError(msg)
    holders: dict[str, Holder] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split(maxsplit=2)
        if words:
            token, holder = _parse(words, f"{path} line {number}")
            holders[token] = holder
    if not holders:
        msg = f"The token file {path} holds no token: write lines TOKEN ROLE NAME."
        raise InputError(msg)
    return Tokens(holders)


def make_token_file(path: Path) -> None:
    """Writes a file with one admin's token that nobody else can read.

    Raises:
        InputError: it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        msg = f"The token file {path} cannot be written ({error.strerror})."
        raise InputError(msg) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"# TOKEN ROLE NAME; roles: {', '.join(_ROLES)}\n{new_token()} admin admin\n")


def _parse(words: list[str], where: str) -> tuple[str, Holder]:
    token = words[0]
    role = words[1] if len(words) > 1 else "admin"
    name = words[2].strip() if len(words) > 2 else role
    if len(token) < SHORTEST_TOKEN:
        msg = f"{where}: the token has {len(token)} characters, use at least {SHORTEST_TOKEN}."
        raise InputError(msg)
    if role not in _ROLES:
        msg = f"{where}: {role!r} is no role, use one of {', '.join(_ROLES)}."
        raise InputError(msg)
    return token, Holder(name, role)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
