"""The propagators by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a propagator may use.

    Attributes:
        threads: cores.
        weights: file of a trained network, for ``learned`` (registration) or ``correspondence``.
    """

    threads: int = 1
    weights: Path | None = None


def _demons(resources: Resources) -> Propagator:
    from spss.propagation.demons import DemonsPropagator

    return DemonsPropagator(threads=resources.threads)


def _learned(resources: Resources) -> Propagator:
    """With the network in the file that was given; without one it is fitted to the volume."""
    from spss.propagation.learned import LearnedPropagator
    from spss.propagation.registration_network import RegistrationNetwork

    if resources.weights is None:
        return LearnedPropagator()
    return LearnedPropagator(network=RegistrationNetwork.load(resources.weights))


def _correspondence(resources: Resources) -> Propagator:
    """With the network in the file that was given; without one it is fitted to the volume."""
    from spss.propagation.correspondence import CorrespondencePropagator
    from spss.propagation.correspondence_network import CorrespondenceNetwork

    if resources.weights is None:
        return CorrespondencePropagator()
    return CorrespondencePropagator(network=CorrespondenceNetwork.load(resources.weights))


def _ensemble(resources: Resources) -> Propagator:
    """Flow and demons, weighed voxel by voxel."""
    from spss.propagation.ensemble import EnsemblePropagator

    return EnsemblePropagator(
        members=(FlowPropagator(threads=resources.threads), _demons(resources))
    )


def _auto(resources: Resources) -> Propagator:
    """Optical flow: with the same end rule no costlier propagator is ahead of it on every set.

    Differences lie between -0.13 and +0.013, and they take 8 (demons) to hundreds of times as long
    (networks fitted to the volume). Blending in signed distances between planes eight slices apart
    loses 0.016 on hippocampus and 0.015 on ACDC. See docs/benchmarks.md.
    """
    return FlowPropagator(threads=resources.threads)


PROPAGATORS: dict[str, Callable[[Resources], Propagator]] = {
    "auto": _auto,
    "copy": lambda resources: CopyPropagator(),
    "correspondence": _correspondence,
    "demons": _demons,
    "distance": lambda resources: DistancePropagator(),
    "ensemble": _ensemble,
    "flow": lambda resources: FlowPropagator(threads=resources.threads),
    "learned": _learned,
}
"""Name to a maker. Those that need torch or SimpleITK import them when asked for."""


def list_propagators() -> tuple[str, ...]:
    """Names that ``propagate(..., propagator=...)`` takes."""
    return tuple(sorted(PROPAGATORS))


def make_propagator(name: str, resources: Resources | None = None) -> Propagator:
    """Raises InputError if there is no propagator of that name."""
    if name not in PROPAGATORS:
        msg = f"There is no propagator {name!r}: use one of {', '.join(list_propagators())}."
        raise InputError(msg)
    return PROPAGATORS[name](resources or Resources())
