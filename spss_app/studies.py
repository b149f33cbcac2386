"""Where the images are, and where the app writes: the folders that the options ask for."""

from __future__ import annotations

from spss.studies import Studies, find_folders, user_data_folder
from spss_app.options import AppOptions

__all__ = ["Studies", "find_studies", "user_data_folder"]


def find_studies(address: str, options: AppOptions) -> Studies:
    """Decides on the folders from ``--studies`` and the options.

    Raises:
        InputError: a Decathlon folder was asked for and is none.
    """
    return find_folders(
        address,
        layout=options.layout,
        workspace=options.folder("workspace"),
        ledger=options.folder("ledger"),
    )
