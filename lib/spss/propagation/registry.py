"""The propagators by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from spss.errors import InputError
from spss.propagation.copying import CopyPropagator
from spss.propagation.distance import DistancePropagator
from spss.propagation.flow import FlowPropagator
from spss.propagation.stack import Carried, DrawnSlice, Stack


class Propagator(Protocol):
    """Carries drawn slices through a stack."""

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice, for the slices that drawn slice may speak for."""
        ...


PROPAGATORS: dict[str, Callable[[int], Propagator]] = {
    "copy": lambda threads: CopyPropagator(),
    "distance": lambda threads: DistancePropagator(),
    "flow": lambda threads: FlowPropagator(threads=threads),
    "auto": lambda threads: FlowPropagator(threads=threads),
}
"""Name to a maker that takes the number of threads."""


def list_propagators() -> tuple[str, ...]:
    """Names that ``propagate(..., propagator=...)`` takes."""
    return tuple(sorted(PROPAGATORS))


def make_propagator(name: str, threads: int = 1) -> Propagator:
    """Raises InputError if there is no propagator of that name."""
    if name not in PROPAGATORS:
        msg = f"There is no propagator {name!r}: use one of {', '.join(list_propagators())}."
        raise InputError(msg)
    return PROPAGATORS[name](threads)
