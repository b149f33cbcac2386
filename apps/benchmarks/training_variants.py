"""A method with other constants than its own: how a variant is named, written and made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from spss.errors import InputError


@dataclass(frozen=True)
class Variant:
    """A method and the constants in which it differs from its defaults.

    Attributes:
        method: name in `spss.methods.METHODS`.
        name: of the difference, part of file names; empty for the method as it is.
        constants: field of the method's ``Config`` → value.
    """

    method: str
    name: str = ""
    constants: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """For tables and figures."""
        return f"{self.method}:{self.name}" if self.name else self.method


def parse_variant(text: str) -> Variant:
    """Reads ``method:name:constant=value,constant=value``; only the method is needed.

    Raises:
        InputError: the text has another form, or the method has no such constant.
    """
    method, _, rest = text.partition(":")
    name, _, listed = rest.partition(":")
    pairs = [pair.partition("=") for pair in listed.split(",") if pair]
    if any(not equals for _, equals, _ in pairs) or bool(name) != bool(pairs):
        msg = f"Cannot read variant {text!r}: write METHOD:NAME:CONSTANT=VALUE,CONSTANT=VALUE."
        raise InputError(msg)
    known = _defaults(method, [constant for constant, _, _ in pairs])
    constants = {
        constant: _as_kind_of(known[constant], value, constant) for constant, _, value in pairs
    }
    return Variant(method, name, constants)


def make_config(method: str, constants: dict[str, Any]) -> Any:
    """The method's ``Config`` with some constants replaced; None without any.

    Raises:
        InputError: the method has no such constant.
    """
    if not constants:
        return None
    from spss.methods import find_method

    _defaults(method, list(constants))
    return replace(find_method(method).Config(), **constants)


def _defaults(method: str, wanted: list[str]) -> dict[str, Any]:
    from spss.methods import method_options

    known = method_options(method)
    for constant in wanted:
        if constant not in known:
            msg = f"{method} has no constant {constant!r}: choose among {', '.join(known)}."
            raise InputError(msg)
    return known


def _as_kind_of(default: Any, text: str, constant: str) -> Any:
    if isinstance(default, bool):
        if text not in ("True", "False"):
            msg = f"{constant} is a switch: write {constant}=True or {constant}=False, not {text}."
            raise InputError(msg)
        return text == "True"
    try:
        return type(default)(text)
    except ValueError as error:
        msg = f"{constant} must be a number such as {default}, got {text!r}."
        raise InputError(msg) from error
