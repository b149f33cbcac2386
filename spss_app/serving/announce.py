"""Three lines at a plain start: what is open, and how to close it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

_HOST_OPTIONS = ("-i", "--host")


def lines_of_plain_start(arguments: Sequence[str], *, login: bool, port: int) -> list[str]:
    """What ``monailabel start_server`` leaves open.

    Args:
        arguments: of the command line; the host is read from it.
        login: whether MONAI Label's authentication is switched on.
        port: the server's.
    """
    host = _host(arguments)
    if host in ("localhost", "::1") or host.startswith("127."):
        reach = f"every program and user of this machine (it listens on {host}:{port})"
    else:
        reach = f"every machine of the network (it listens on {host}:{port})"
    who = "asks for a login" if login else "asks for no login"
    return [
        f"OPEN: this server {who} and is reached by {reach}.",
        "Who gets in can read all studies and change all labels, and what is sent is not encrypted."
        if not login
        else "What is sent is not encrypted, tokens neither, unless --ssl_certfile is given.",
        "To close it start it with: spss serve --studies DIR   (this machine only, with a token)",
    ]


def announce_plain_start(*, login: bool, port: int) -> None:
    """Prints the lines on stderr."""
    lines = lines_of_plain_start(sys.argv[1:], login=login, port=port)
    print("\n".join(lines), file=sys.stderr, flush=True)


def _host(arguments: Sequence[str]) -> str:
    """The last ``--host`` of a command line, else MONAI Label's default."""
    host = "0.0.0.0"
    for option, value in pairwise([*arguments, ""]):
        name, _, joined = option.partition("=")
        if option in _HOST_OPTIONS:
            host = value
        elif name == "--host" and joined:
            host = joined
    return host
