"""Start the server for this machine only, with a token: MONAI Label's server, safe by default.

The same application as ``monailabel start_server`` runs, behind a wall: it listens on 127.0.0.1
unless --host is given, answers nothing without a token, lets only web pages of named origins call,
limits uploads and what of the DICOM server can be reached, and keeps temporary files private.

  spss serve --studies DIR
  spss serve --studies http://127.0.0.1:8042/dicom-web --conf labels liver,spleen

The token is printed once; 3D Slicer and the browser ask for it as a password (any user name). For
several people write a file, chmod 600, with lines TOKEN ROLE NAME (roles: admin, reviewer,
annotator, user) and give it with --token-file; a file that does not exist is made. With --realm the
login service of MONAI_LABEL_AUTH_REALM_URI is used instead.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss_app.cli_app import make_app_folder
from spss_app.log_privacy import keep_ids_out_of_logs
from spss_app.options import AppOptions
from spss_app.serving.body_limit import DEFAULT_UPLOAD_GB
from spss_app.serving.one_server import release_folder, take_folder
from spss_app.serving.origins import check_origin
from spss_app.serving.private_temp import remove_private_temp, use_private_temp
from spss_app.serving.settings import ServeSettings
from spss_app.serving.tokens import make_token_file, read_tokens
from spss_app.studies import find_studies, user_data_folder

APPLICATION = "spss_app.serving.asgi:app"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``spss serve``."""
    add = parser.add_argument
    add("--studies", required=True, help="folder of images, or DICOMweb address")
    add("--app", type=Path, help="app folder; default: one in your data folder")
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=8000, help="port to listen on")
    add("--conf", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"))
    login = parser.add_mutually_exclusive_group()
    login.add_argument("--token-file", type=Path, help="tokens; made if it does not exist")
    login.add_argument("--realm", action="store_true", help="log in as MONAI Label's settings say")
    login.add_argument("--no-token", action="store_true", help="no login; only on this machine")
    add("--origin", action="append", default=[], help="web page that may call: https://host[:port]")
    add("--upload-gb", type=float, default=DEFAULT_UPLOAD_GB, help="largest upload")
    add("--ssl-keyfile", help="key for https")
    add("--ssl-certfile", help="certificate for https")
    add("--access-log", action="store_true", help="write a line for each request")
    add("--verbose", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))


def run(args: argparse.Namespace) -> int:
    """Checks everything that can be checked before the slow imports, then serves."""
    conf = dict(args.conf)
    own = find_studies(_studies(args.studies), AppOptions.from_conf(conf)).own
    app_folder = make_app_folder(args.app or user_data_folder() / "spss_app")
    take_folder(own)
    use_private_temp()
    try:
        settings = _settings(args)
        settings.hand_on()
        _serve(settings, args, app_folder)
    finally:
        remove_private_temp()
        release_folder(own)
    return 0


def _settings(args: argparse.Namespace) -> ServeSettings:
    """Checks what cannot work, or would not be safe, before anything starts."""
    settings = ServeSettings(
        host=args.host,
        port=args.port,
        login="realm" if args.realm else "none" if args.no_token else "token",
        token_file="",
        origins=tuple(check_origin(origin) for origin in args.origin),
        upload_gb=args.upload_gb,
    )
    if not 0 < args.upload_gb <= 64:
        msg = f"--upload-gb must be above 0 and at most 64, got {args.upload_gb}."
        raise InputError(msg)
    if settings.login == "none" and not settings.is_loopback:
        msg = f"--no-token is for this machine only: leave --host {args.host} or the option out."
        raise InputError(msg)
    if settings.login != "token":
        return settings
    return ServeSettings(**{**vars(settings), "token_file": str(_token_file(args))})


def _token_file(args: argparse.Namespace) -> Path:
    """The given file, made if it does not exist; else one for this run, whose token is printed."""
    if args.token_file is None:
        path = Path(tempfile.gettempdir()) / "tokens"
        make_token_file(path)
        token = path.read_text(encoding="utf-8").splitlines()[-1].split()[0]
        print(f"Token of this run (password; any user name): {token}", file=sys.stderr, flush=True)
        return path
    path = args.token_file.expanduser().resolve()
    if not path.exists():
        make_token_file(path)
        print(f"A token was written to {path}", file=sys.stderr, flush=True)
    read_tokens(path)  # a mistake in it is told now, in one line
    return path


def _serve(settings: ServeSettings, args: argparse.Namespace, app_folder: Path) -> None:
    """Hands over to MONAI Label's own start, with this server's application in place of its own."""
    scheme = "https" if args.ssl_certfile else "http"
    print(f"Starting on {scheme}://{settings.host}:{settings.port}", file=sys.stderr, flush=True)
    if not settings.is_loopback and scheme == "http":
        print(
            "Other machines can reach it, and what is sent is not encrypted: use --ssl-certfile "
            "and --ssl-keyfile, or a proxy with https.",
            file=sys.stderr,
            flush=True,
        )
    from monailabel.main import Main  # seconds of imports; all checks are done before

    keep_ids_out_of_logs()  # its first lines name the folder of the studies
    main: Any = Main(loglevel=args.verbose, actions="start_server")
    # uvicorn ends with the signal that it got; as an exception it lets this command clean up
    signal.signal(signal.SIGTERM, _end)
    main.action_start_server(main.args_parser().parse_args(_arguments(args, app_folder)))


def _arguments(args: argparse.Namespace, app_folder: Path) -> list[str]:
    """MONAI Label's command line for the same start."""
    arguments = ["start_server", "--app", str(app_folder), "--studies", _studies(args.studies)]
    arguments += ["--host", args.host, "--port", str(args.port), "--verbose", args.verbose]
    arguments += ["--uvicorn_app", APPLICATION]
    for key, value in args.conf:
        arguments += ["--conf", key, value]
    if args.access_log:
        arguments += ["--access_log"]
    if args.ssl_certfile:
        arguments += ["--ssl_certfile", args.ssl_certfile]
    if args.ssl_keyfile:
        arguments += ["--ssl_keyfile", args.ssl_keyfile]
    return arguments


def _studies(studies: str) -> str:
    """An address as it is, a folder by its full path."""
    if studies.startswith(("http://", "https://")):
        return studies.rstrip("/")
    folder = Path(studies).expanduser().resolve()
    if not folder.is_dir():
        msg = f"There is no folder {folder}: name the folder of the images."
        raise InputError(msg)
    return str(folder)


def _end(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)
