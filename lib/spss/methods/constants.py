"""A method's constants, changed by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from spss.errors import InputError
from spss.methods import find_method, method_options


def make_config(method: str, constants: Mapping[str, Any]) -> Any:
    """The method's ``Config`` with some constants replaced; None without any.

    Raises:
        InputError: the method has no such constant.
    """
    if not constants:
        return None
    _check_known(method, constants)
    return replace(find_method(method).Config(), **constants)


def read_constants(method: str, texts: Iterable[str]) -> dict[str, Any]:
    """Reads ``NAME=VALUE``, each value as the kind its constant is of.

    Raises:
        InputError: a text has another form, the method has no such constant, or it is of another
            kind.
    """
    read = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            msg = f"Cannot read constant {text!r} of {method}: write NAME=VALUE."
            raise InputError(msg)
        _check_known(method, [name])
        read[name] = _as_kind_of(method_options(method)[name], value, name)
    return read


def _check_known(method: str, names: Iterable[str]) -> None:
    known = method_options(method)
    for name in names:
        if name not in known:
            listed = ", ".join(f"{each}={default}" for each, default in known.items())
            msg = f"{method} has no constant {name!r}: choose among {listed}."
            raise InputError(msg)


def _as_kind_of(default: Any, text: str, name: str) -> Any:
    if isinstance(default, bool):
        if text not in ("True", "False"):
            msg = f"{name} is a switch: write {name}=True or {name}=False, not {text}."
            raise InputError(msg)
        return text == "True"
    try:
        value = type(default)(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        kind = "whole number" if isinstance(default, int) else "number"
        msg = f"{name} must be a {kind} such as {default}, got {text!r}."
        raise InputError(msg)
    return value
