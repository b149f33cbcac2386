"""What a request may say: listed keys, of the right type, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spss.errors import InputError

Parser = Callable[[str, Any], Any]
"""Takes a key and its value; returns the value to use or raises InputError."""

_LARGEST_CONSTANT = 1e9
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,2})?|mps")


def clean(request: Mapping[str, Any], parsers: Mapping[str, Parser]) -> dict[str, Any]:
    """Keeps the listed keys, each through its parser; all others are dropped.

    Viewers send whole option tables and keys of their own, so an unknown key is no error; it just
    reaches nothing. ``None`` and an empty string mean "not given".

    Raises:
        InputError: a listed key has an unusable value.
    """
    return {
        key: parsers[key](key, value)
        for key, value in request.items()
        if key in parsers and value is not None and value != ""
    }


def text(longest: int = 200) -> Parser:
    """A string."""

    def parse(key: str, value: Any) -> str:
        """The value, if it is short text without a NUL, which would end a path early."""
        if not isinstance(value, str) or len(value) > longest or "\0" in value:
            msg = f"{key} must be text of at most {longest} characters, got {value!r:.60}."
            raise InputError(msg)
        return value

    return parse


def one_of(allowed: Sequence[str]) -> Parser:
    """One of the listed strings."""

    def parse(key: str, value: Any) -> str:
        """The value, if it is listed; else a sentence with the choice."""
        if not isinstance(value, str) or value not in allowed:
            msg = f"{key} must be one of {', '.join(allowed)}, got {value!r:.60}."
            raise InputError(msg)
        return value

    return parse


def number(low: float, high: float) -> Parser:
    """A number between two bounds; viewers send numbers as text too."""

    def parse(key: str, value: Any) -> float:
        """The value as a float; what is no number counts as out of bounds."""
        try:
            parsed = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            parsed = float("nan")
        if not low <= parsed <= high:
            msg = f"{key} must be a number from {low:g} to {high:g}, got {value!r:.60}."
            raise InputError(msg)
        return parsed

    return parse


def whole(low: int, high: int) -> Parser:
    """A whole number between two bounds."""
    as_number = number(low, high)

    def parse(key: str, value: Any) -> int:
        """The value as an int; 2.0 is whole, 2.5 is refused rather than rounded."""
        parsed = as_number(key, value)
        if parsed != int(parsed):
            msg = f"{key} must be a whole number from {low} to {high}, got {value!r:.60}."
            raise InputError(msg)
        return int(parsed)

    return parse


def of_kind(default: Any) -> Parser:
    """What a constant may be whose default this is: a flag, a number or text."""
    if isinstance(default, bool):
        return flag
    if isinstance(default, int | float):
        return number(-_LARGEST_CONSTANT, _LARGEST_CONSTANT)
    return text()


def flag(key: str, value: Any) -> bool:
    """True or false, as JSON or text."""
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0", "yes", "no"):
        return value.lower() in ("true", "1", "yes")
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    msg = f"{key} must be true or false, got {value!r:.60}."
    raise InputError(msg)


def device(key: str, value: Any) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``; without a GPU ``cuda`` means the CPU."""
    if not isinstance(value, str) or not _DEVICE.fullmatch(value):
        msg = f"{key} must be auto, cpu, cuda or cuda:0, got {value!r:.60}."
        raise InputError(msg)
    import torch

    return "auto" if value.startswith("cuda") and not torch.cuda.is_available() else value
