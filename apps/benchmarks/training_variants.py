"""A method with other constants than its own: how a variant is named, written and made."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    pairs = [pair for pair in listed.split(",") if pair]
    if any("=" not in pair for pair in pairs) or bool(name) != bool(pairs):
        msg = f"Cannot read variant {text!r}: write METHOD:NAME:CONSTANT=VALUE,CONSTANT=VALUE."
        raise InputError(msg)
    from spss.methods import find_method
    from spss.methods.constants import read_constants

    find_method(method)  # also where no constant is named
    return Variant(method, name, read_constants(method, pairs))
