"""Prints the folder to give to ``monailabel start_server --app``.

MONAI Label makes the folders bin, lib, logs and model inside the app's folder, so it must be
writable and should not be the installed package. This command makes such a folder, with two small
files that load the installed application, and prints its path:

    monailabel start_server --app "$(spss app)" --studies DIR
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from spss.errors import InputError
from spss_app.studies import user_data_folder

APP_FILES = ("main.py", "README.md")
"""All that an app folder holds; everything else is in the installed package."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``spss app``."""
    parser.add_argument(
        "folder", nargs="?", type=Path, help="make it here instead of in your data folder"
    )


def run(args: argparse.Namespace) -> int:
    """Makes the folder if needed and prints it."""
    print(make_app_folder(args.folder or user_data_folder() / "spss_app"))
    return 0


def make_app_folder(folder: Path) -> Path:
    """Puts the app's files into ``folder``; files of an earlier version are replaced.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = folder.expanduser().resolve()
    source = Path(__file__).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in APP_FILES:
            if not (folder / name).is_file() or not (folder / name).samefile(source / name):
                shutil.copyfile(source / name, folder / name)
    except OSError as error:
        msg = f"The app folder {folder} cannot be written ({error.strerror}): name another folder."
        raise InputError(msg) from error
    return folder
