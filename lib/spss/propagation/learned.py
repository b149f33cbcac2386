"""Carries a drawn slice along the fields of a registration network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from spss.propagation.fields import Field
from spss.propagation.registration import carry_along_fields
from spss.propagation.registration_network import RegistrationNetwork
from spss.propagation.registration_training import train_registration
from spss.propagation.stack import Carried, DrawnSlice, Stack


@dataclass(frozen=True, kw_only=True)
class LearnedPropagator:
    """Carries a drawn slice along the fields of a registration network.

    Attributes:
        network: a trained one; without it one is fitted to the volume at hand.
        fit_steps: steps of that fit.
        batch: slice pairs registered at once.
    """

    network: RegistrationNetwork | None = None
    fit_steps: int = 200
    batch: int = 32
    seed: int = 0
    device: str = field(default_factory=lambda: "cuda" if torch.cuda.is_available() else "cpu")

    name = "learned"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        network = self.network
        if network is None:
            network = train_registration(
                [stack.slices], axes=(0,), steps=self.fit_steps, seed=self.seed
            )

        def register(stack: Stack, pairs: list[tuple[int, int]]) -> list[Field]:
            """With the given network, or with the one that was just fitted to this volume."""
            return self._register(network.to(self.device), stack, pairs)

        return carry_along_fields(stack, drawn, register)

    def _register(
        self, network: RegistrationNetwork, stack: Stack, pairs: list[tuple[int, int]]
    ) -> list[Field]:
        """Fields of all pairs, ``batch`` of them in one pass."""
        slices = torch.from_numpy(np.ascontiguousarray(stack.slices))[:, None]
        fields: list[Field] = []
        with torch.inference_mode():
            for start in range(0, len(pairs), self.batch):
                part = pairs[start : start + self.batch]
                target = slices[[pair[0] for pair in part]].to(self.device)
                source = slices[[pair[1] for pair in part]].to(self.device)
                found = network(target, source).flip(1).permute(0, 2, 3, 1)
                fields.extend(np.ascontiguousarray(each) for each in found.cpu().numpy())
        return fields
