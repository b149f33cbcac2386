"""What ``monailabel start_server --app`` loads: the application of the installed package.

This file and README.md are all that a copied app folder holds, so that an update of the package
updates every copy.
"""

import sys
from pathlib import Path

_folder = Path(__file__).resolve().parent
if not (_folder / "__init__.py").exists():
    # A copy may lie in the working directory and bear the package's name: it would hide it.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _folder.parent]

from spss_app.app import SpssApp  # noqa: E402

__all__ = ["SpssApp"]
