"""Training methods, one file each, one registry."""

from __future__ import annotations

from typing import Any

from spss.errors import InputError
from spss.methods.batch import Batch
from spss.methods.masked import Masked
from spss.methods.mean_teacher import MeanTeacher
from spss.methods.method import Method, StepContext, StepLosses
from spss.methods.pln import Pln
from spss.methods.pseudo import Pseudo
from spss.methods.spss import Spss
from spss.methods.spss_reference import SpssReference

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        Masked,
        Pseudo,
        MeanTeacher,
        Pln,
        SpssReference,
        Spss,
    )
}
"""Name → class. The command line, the server's options and the benchmark read this."""

__all__ = [
    "METHODS",
    "Batch",
    "Method",
    "StepContext",
    "StepLosses",
    "find_method",
    "method_options",
]


def find_method(name: str) -> type[Method]:
    """Looks a method up by name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in METHODS:
        msg = f"There is no training method {name!r}: choose one of {', '.join(METHODS)}."
        raise InputError(msg)
    return METHODS[name]


def method_options(name: str) -> dict[str, Any]:
    """Names and defaults of a method's constants, for the server's options table."""
    return find_method(name).options()
