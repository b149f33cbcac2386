"""What ``monailabel start_server --app`` loads: the application of the installed package.

This file and README.md are all that a copied app folder holds, so that an update of the package
updates every copy.
"""

from spss_app.app import SpssApp

__all__ = ["SpssApp"]
