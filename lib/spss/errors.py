"""Errors a user can act on: one sentence with what, where, what was got, what to do."""

from __future__ import annotations


class SpssError(Exception):
    """Base of every error the library raises on purpose."""


class InputError(SpssError, ValueError):
    """Input that cannot be used as it is: a file, a plane, a label name, an option.

    The message is complete by itself and fit to be shown to an annotator. The command line prints
    it without a traceback; the server answers it as an HTTP 4xx.
    """


class NotReadyError(SpssError):
    """The request is fine but something must happen first (draw a plane, train a model)."""
