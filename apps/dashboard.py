"""Write one page that shows where a running server's task stands: volumes, queue, training.

  spss dashboard --server http://127.0.0.1:8000 --out dashboard.html
  spss dashboard --every 60          keeps the page fresh; the browser reloads it by itself

The page holds everything it shows and no script: open it from the disk. It is made from the
server's HTTP API, takes no volume from anyone and changes nothing. For a server that wants a token
put it into the environment variable SPSS_TOKEN or give its file with --token-file; it is never
written into the page.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from spss.errors import InputError, NotReadyError
from spss_apps.dashboard_reader import DashboardReader

DEFAULT_SERVER = "http://127.0.0.1:8000"
SHORTEST_PAUSE_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``spss dashboard``."""
    add = parser.add_argument
    add("--server", default=DEFAULT_SERVER, help=f"the server's address (default {DEFAULT_SERVER})")
    add("--out", type=Path, default=Path("dashboard.html"), help="page to write")
    add("--every", type=float, metavar="SECONDS", help="write it again and again")
    add("--token-file", type=Path, help="file whose first word is the token")
    add("--queue", type=int, default=8, help="suggestions to show, each with a picture")


def run(args: argparse.Namespace) -> int:
    """Writes the page once, or until interrupted."""
    if args.every is not None and args.every < SHORTEST_PAUSE_SECONDS:
        msg = f"--every must be at least {SHORTEST_PAUSE_SECONDS:g} seconds, got {args.every:g}."
        raise InputError(msg)
    with tempfile.TemporaryDirectory(prefix="spss-dashboard-") as folder:
        reader = DashboardReader(args.server, _token(args.token_file), images=Path(folder))
        write_dashboard(reader, args.out, queue=args.queue, every=args.every)
        print(f"Dashboard: {args.out.resolve()}")
        while args.every:
            time.sleep(args.every)
            try:
                write_dashboard(reader, args.out, queue=args.queue, every=args.every)
            except NotReadyError as error:  # the page keeps what was read last, with its time
                print(f"spss dashboard: {error}", file=sys.stderr)
    return 0


def write_dashboard(
    reader: DashboardReader, path: Path, *, queue: int = 8, every: float | None = None
) -> None:
    """Asks the server and replaces the page in one step.

    Args:
        reader: the server.
        path: HTML file.
        queue: suggestions to show.
        every: seconds after which a browser loads the page again; None: never.
    """
    # imported here: matplotlib takes a second, which a mistyped option should not cost
    from spss.volumes import replace_atomically
    from spss_apps.dashboard_page import dashboard_page

    overview = reader.overview(queue)
    pictures = [reader.thumbnail(entry) for entry in overview["queue"]]
    html = dashboard_page(
        overview,
        pictures=pictures,
        server=reader.url,
        read_at=time.strftime("%Y-%m-%d %H:%M:%S"),
        every=every,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8")


def _token(file: Path | None) -> str:
    """From the file or the environment, never from the command line, which others can read."""
    if file is None:
        return os.environ.get("SPSS_TOKEN", "").strip()
    try:
        lines = file.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The token file {file} cannot be read: {error}"
        raise InputError(msg) from error
    words = [words[0] for words in (line.split() for line in lines) if words]
    words = [word for word in words if not word.startswith("#")]
    if not words:
        msg = f"There is no token in {file}: its first word must be one."
        raise InputError(msg)
    return words[0]
