"""Errors that are the library's to our own code and an HTTP answer to MONAI Label's endpoints.

Some endpoints call the datastore directly; FastAPI answers an HTTPException with its sentence and
everything else with "Internal Server Error".
"""

from __future__ import annotations

from fastapi import HTTPException

from spss.errors import InputError, NotReadyError


class SeriesError(InputError, HTTPException):
    """A series that cannot be used; HTTP 422."""

    def __init__(self, text: str) -> None:
        HTTPException.__init__(self, 422, text)

    def __str__(self) -> str:
        return str(self.detail)


class PacsError(NotReadyError, HTTPException):
    """The DICOMweb server did not do what it was asked, trying later may help; HTTP 503."""

    def __init__(self, text: str) -> None:
        HTTPException.__init__(self, 503, text)

    def __str__(self) -> str:
        return str(self.detail)


class PacsAwayError(PacsError):
    """The DICOMweb server cannot be reached at all, or does not answer in time."""


class PacsUnreadableError(PacsError):
    """What the DICOMweb server sent is damaged; other things that it has may be fine."""
