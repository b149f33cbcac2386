"""What the library refuses, as an HTTP answer: a 4xx with one sentence, never a stack trace."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fastapi import HTTPException
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from spss.errors import InputError, NotReadyError

NOT_FOUND = 404
NOT_READY = 409
UNUSABLE = 422

P = ParamSpec("P")
R = TypeVar("R")


def answers_http(function: Callable[P, R]) -> Callable[P, R]:
    """Turns the library's errors into the HTTP answers a viewer can show.

    `InputError` becomes 422, `NotReadyError` 409, an unknown image or label 404.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        """The call; its errors as status and sentence."""
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise HTTPException(UNUSABLE, str(error)) from error
        except NotReadyError as error:
            raise HTTPException(NOT_READY, str(error)) from error
        except (ImageNotFoundException, LabelNotFoundException) as error:
            raise HTTPException(NOT_FOUND, error.msg) from error

    return wrapper


def not_found(what: str, name: object, known: list[str]) -> HTTPException:
    """404 that names what was asked for and what there is."""
    choice = f"use one of {', '.join(known)}" if known else "there is none"
    return HTTPException(NOT_FOUND, f"There is no {what} {name!r}: {choice}.")
